import type { OperationStream } from '../graphql/operation-stream.ts'
import type { Ending, Outlet } from './pump.ts'
import { pump } from './pump.ts'

/** An operation whose results go past graphql-ws, which would make JSON of each of them for each of its subscribers. */
export type CarriedOperation = {
  cursor(): string | undefined
  /** Ends it with an error to tell, or with null when nobody listens. */
  end(reason: unknown): void
  /** For graphql-ws: runs while it is iterated, yields nothing, and ends early when it is returned. */
  results: AsyncIterable<never> & AsyncIterator<never>
  done: Promise<void>
}

type Options = {
  stream: OperationStream
  outlet: Outlet
  stallMs: number
  onEnd: (ending: Ending) => void
}

/** Carries a stream once graphql-ws asks for its results. `onEnd` is called once in any case. */
export function carryOperation({ stream, outlet, stallMs, onEnd }: Options): CarriedOperation {
  const ended = new AbortController()
  const done = Promise.withResolvers<void>()
  let running: Promise<void> | undefined
  const run = () => {
    running ??= pump({ stream, outlet, stallMs, ended: ended.signal }).then(onEnd).finally(done.resolve)
    return running
  }
  const over = { done: true, value: undefined } as const
  const results: CarriedOperation['results'] = {
    [Symbol.asyncIterator]: () => results,
    async next() {
      await run()
      return over
    },
    async return() {
      ended.abort(null)
      await run()
      return over
    },
  }
  return {
    cursor: () => stream.cursor(),
    end: (reason) => ended.abort(reason),
    results,
    done: done.promise,
  }
}
