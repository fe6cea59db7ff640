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

type Options = { inFlight: number; callbacks: number; everyMs: number }

/**
 * Keeps `inFlight` callers waiting and has one of them called back every `everyMs`, whether or not the one before has been answered:
 * a stall shows in all that come after it. Milliseconds from sending a callback to its caller's answer.
 */
export async function measureWaits(
  waiting: Waiting,
  { inFlight, callbacks, everyMs }: Options,
): Promise<Sample> {
  const waits: Wait[] = []
  const begin = async () => {
    const wait = waiting.begin()
    await wait.ready
    waits.push(wait)
  }
  await Promise.all(Array.from({ length: inFlight }, begin))
  const latencies: number[] = []
  const begun: Promise<void>[] = []
  const answerOne = async ({ id, answered }: Wait) => {
    const since = performance.now()
    const called = waiting.callBack(id)
    await answered
    latencies.push(performance.now() - since)
    await called
    begun.push(begin())
  }
  const startedAt = performance.now()
  const running: Promise<void>[] = []
  for (let turn = 0; turn < callbacks; turn += 1) {
    await sleep(Math.max(0, startedAt + turn * everyMs - performance.now()))
    const wait = waits.shift()
    if (!wait) throw new Error('nobody waits any more: callbacks come faster than they are answered')
    running.push(answerOne(wait))
  }
  await Promise.all(running)
  await Promise.all(begun)
  await Promise.all(waits.map(({ id, answered }) => Promise.all([waiting.callBack(id), answered])))
  return { p50Ms: median(latencies), p99Ms: percentile(latencies, 0.99) }
}
