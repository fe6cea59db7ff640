import { GanchoError } from '../errors.ts'
import type { OperationStream, ResultBatch } from '../graphql/operation-stream.ts'
import { toGanchoError } from '../redis/redis-error.ts'

/** Where the results of one stream go. */
export type Outlet = {
  /** Writes a whole batch. False when its client should read before more is written. */
  write(batch: ResultBatch): boolean
  /** Calls once when more may be written, unless it is called off by what this returns. */
  onceDrained(call: () => void): () => void
}

/** How a stream ended: `error` is null when there is nothing more to come, or nobody to tell. */
export type Ending = { error: GanchoError | null; cursor: string | undefined }

type Options = {
  stream: OperationStream
  outlet: Outlet
  /** How long a client may read nothing of what was written. */
  stallMs: number
  /** Ends the stream from outside, with the error to tell as its reason, or with null when the client is gone. */
  ended: AbortSignal
}

/**
 * Carries a stream to its client, no faster than that reads. `cursor` of the ending is where the client can go on: nothing that it
 * was not sent lies before it. Always closes the stream.
 */
export async function pump({ stream, outlet, stallMs, ended }: Options): Promise<Ending> {
  let written = stream.cursor()
  const close = () => stream.close()
  ended.addEventListener('abort', close)
  if (ended.aborted) close()
  try {
    for await (const batch of stream.batches) {
      if (ended.aborted) break
      const ready = outlet.write(batch)
      written = stream.cursor()
      if (!ready && !(await hasRoom(outlet, stallMs, [ended, stream.broken])))
        throw new GanchoError('SLOW_CONSUMER')
      if (stream.broken.aborted) throw stream.broken.reason
    }
    if (!ended.aborted) return { error: null, cursor: stream.cursor() }
  } catch (error) {
    if (!ended.aborted) return { error: toGanchoError(error), cursor: written }
  } finally {
    ended.removeEventListener('abort', close)
    close()
  }
  return { error: ended.reason as GanchoError | null, cursor: written }
}

/** Waits until the client has made room, or there is no need for it any more. False when that takes too long. */
function hasRoom(outlet: Outlet, stallMs: number, needless: readonly AbortSignal[]): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (inTime: boolean) => {
      clearTimeout(late)
      callOff()
      for (const signal of needless) signal.removeEventListener('abort', stop)
      resolve(inTime)
    }
    const stop = () => settle(true)
    const late = setTimeout(() => settle(false), stallMs)
    const callOff = outlet.onceDrained(stop)
    for (const signal of needless) signal.addEventListener('abort', stop)
    if (needless.some(({ aborted }) => aborted)) stop()
  })
}
