import { type Asker, FairQueue } from './fair-queue.ts'

export type FairBulkhead = <Result>(asker: Asker, run: () => Promise<Result>) => Promise<Result>

/** Runs at most that many at one time. Whoever has to wait, waits in turns with the others. */
export function fairBulkhead(most: number): FairBulkhead {
  const waiting = new FairQueue<() => void>()
  let running = 0
  return async (asker, run) => {
    if (running < most) running += 1
    else await new Promise<void>((resolve) => waiting.push(asker, resolve))
    try {
      return await run()
    } finally {
      const next = waiting.shift()
      // Its place is handed on.
      if (next) next()
      else running -= 1
    }
  }
}
