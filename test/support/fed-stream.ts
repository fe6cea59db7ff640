import type { OpenOperation, OperationStream, ResultBatch } from '../../src/graphql/operation-stream.ts'

export type FedStream = OperationStream & {
  /** How many batches were asked for and given. */
  given(): number
  break(reason: Error): void
  isClosed(): boolean
}

/** A stream that gives as many batches as it is asked for, one after the other, `next` telling what is in them; ends after null. */
export function fedStream(next: (n: number) => ResultBatch | null): FedStream {
  const breaking = new AbortController()
  let given = 0
  let cursor: string | undefined = 'begin'
  let closed = false
  async function* batches() {
    while (!closed) {
      const batch = next(given)
      if (!batch) return
      given++
      cursor = batch.messages.at(-1)?.cursor
      yield batch
    }
  }
  return {
    batches: batches(),
    broken: breaking.signal,
    cursor: () => cursor,
    close() {
      closed = true
    },
    given: () => given,
    break: (reason) => breaking.abort(reason),
    isClosed: () => closed,
  }
}

export const opening =
  (stream: OperationStream): OpenOperation =>
  async () => ({ kind: 'stream', stream })
