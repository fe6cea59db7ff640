import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Callback, Sending, Sent } from '../load/callbacks.ts'
import type { Waiting } from '../load/callers.ts'
import { type Helper, startHelper } from './child.ts'
import type { Sample } from './scenario.ts'
import { median, percentile } from './statistics.ts'

/** A system in which callers wait. Without `url`s it is bare Redis. */
export type Waitable = {
  wait(id: string): Omit<Waiting, 'id'>
  /** Resolves with the URL of this wait's callback when that may come. */
  untilReady(id: string): Promise<string>
}

export type AwaitedLoad = { measure(system: Waitable): Promise<Sample>; close(): Promise<void> }

export const rates = [100, 250, 500] as const
const inFlight = 500
/** Callbacks at each rate: 2 s of them or more. */
const callbacksAt = (perSecond: number) => Math.max(300, 2 * perSecond)
const settleMs = 200
const beginTogether = 50

const reply = JSON.stringify({
  ...{ status: 'PAID', amount: 1990, at: '2026-01-01T00:00:00Z' },
  note: 'x'.repeat(200),
})

/**
 * Milliseconds from sending a callback to its caller's answer, at each rate, while at least `inFlight` callers wait. Two processes make
 * the load: one sends the callbacks, at the times that the rate sets and whether or not those before have been answered, the other
 * holds the callers. As many waits as will be answered are begun before, because beginning one is other work, and not the same for
 * everyone.
 */
export async function startAwaitedLoad(redisUrl: string): Promise<AwaitedLoad> {
  const callers = await startHelper('callers.ts', [redisUrl])
  const callbacks = await startHelper('callbacks.ts', [redisUrl])
  return {
    async measure(system) {
      const waiting: Callback[] = []
      const sample: Record<string, number> = {}
      for (const perSecond of rates) {
        waiting.push(...(await begin(callers, system, inFlight + callbacksAt(perSecond) - waiting.length)))
        // What began them comes to its end: an upstream's answer is recorded after it has asked to be called back.
        await sleep(settleMs)
        const batch = waiting.splice(0, callbacksAt(perSecond))
        const { latencies, late } = await answer(
          { callers, callbacks },
          { callbacks: batch, body: reply, perSecond },
        )
        sample[`p50At${perSecond}`] = median(latencies)
        sample[`p99At${perSecond}`] = percentile(latencies, 0.99)
        sample[`lateAt${perSecond}`] = percentile(late, 0.99)
      }
      await answer({ callers, callbacks }, { callbacks: waiting, body: reply, perSecond: 1_000 })
      return sample
    },
    async close() {
      await Promise.all([callers.close(), callbacks.close()])
    },
  }
}

/** Some at a time: all of them at once are a burst, which is another scenario. */
async function begin(callers: Helper, system: Waitable, count: number): Promise<Callback[]> {
  const begun: Callback[] = []
  while (begun.length < count) {
    const ids = Array.from({ length: Math.min(beginTogether, count - begun.length) }, () => randomUUID())
    const ready = Promise.all(ids.map(async (id) => ({ id, url: await system.untilReady(id) })))
    await callers.ask(
      'begin',
      ids.map((id) => ({ id, ...system.wait(id) })),
    )
    begun.push(...(await Promise.race([ready, callers.ended])))
  }
  return begun
}

async function answer({ callers, callbacks }: Record<'callers' | 'callbacks', Helper>, sending: Sending) {
  const sent = await callbacks.ask<Sent[]>('send', sending)
  const answered = new Map(
    await callers.ask<[string, number][]>(
      'answered',
      sending.callbacks.map(({ id }) => id),
    ),
  )
  const latencies = sent.map(([id, sentMs]) => (answered.get(id) ?? Number.NaN) - sentMs)
  return { latencies, late: sent.map(([, , lateMs]) => lateMs) }
}
