import { setTimeout as sleep } from 'node:timers/promises'
import type { Sample } from './scenario.ts'
import { median, percentile } from './statistics.ts'

/** A caller that waits: `ready` resolves when its callback may come, `answered` when the caller has its answer. */
export type Wait = { id: string; ready: Promise<unknown>; answered: Promise<unknown> }

export type Waiting = {
  begin(): Wait
  /** Sends the callback that answers this wait. */
  callBack(id: string): Promise<unknown>
}

type Options = { inFlight: number; callbacks: number; blocks: number; everyMs: number }

/**
 * Has one caller called back every `everyMs`, whether or not the one before has been answered: a stall shows in all that come after it.
 * At least `inFlight` callers wait all the while; as many as a block of callbacks answers are begun before it, because beginning a
 * wait is other work, which would be measured beside it, and is not the same for everyone. Milliseconds from sending a callback to its
 * caller's answer.
 */
export async function measureWaits(
  waiting: Waiting,
  { inFlight, callbacks, blocks, everyMs }: Options,
): Promise<Sample> {
  const waits: Wait[] = []
  const latencies: number[] = []
  const begin = async () => {
    const wait = waiting.begin()
    await wait.ready
    waits.push(wait)
  }
  const answerOne = async ({ id, answered }: Wait) => {
    const since = performance.now()
    const called = waiting.callBack(id)
    await answered
    latencies.push(performance.now() - since)
    await called
  }
  const perBlock = Math.ceil(callbacks / blocks)
  for (let block = 0; block < blocks; block += 1) {
    await Promise.all(Array.from({ length: inFlight + perBlock - waits.length }, begin))
    // What began them comes to its end: the upstream's answer is recorded after it has asked to be called back.
    await sleep(settleMs)
    const startedAt = performance.now()
    const running: Promise<void>[] = []
    for (let turn = 0; turn < perBlock; turn += 1) {
      await sleep(Math.max(0, startedAt + turn * everyMs - performance.now()))
      running.push(answerOne(waits.shift() as Wait))
    }
    await Promise.all(running)
  }
  await Promise.all(waits.map(({ id, answered }) => Promise.all([waiting.callBack(id), answered])))
  return { p50Ms: median(latencies), p99Ms: percentile(latencies, 0.99) }
}

const settleMs = 200
