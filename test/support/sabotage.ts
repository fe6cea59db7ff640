import { until } from './client.ts'
import type { Fleet } from './fleet.ts'
import type { GanchoProcess } from './gancho.ts'

type Options = {
  plan: { events: number; kills: number; redisRestarts: number; settleWithinMs: number }
  random: () => number
  fleet: Pick<Fleet, 'start' | 'redis'>
  /** Workers to choose from; each that is killed is replaced in it. */
  crew: GanchoProcess[]
  /** How many requests the receiver has got. */
  progress: () => number
}

/** Kills workers and takes Redis away, one after the other, each when the receiver has got a certain number of requests. */
export async function sabotage({ plan, random, fleet, crew, progress }: Options): Promise<void> {
  const killWorker = async () => {
    const at = Math.floor(random() * crew.length)
    await crew[at]?.kill9()
    crew[at] = await fleet.start('worker')
  }
  const restartRedis = async () => {
    if (random() < 0.5) await fleet.redis.kill9()
    await fleet.redis.restart({ keepData: true })
  }
  const acts = [
    ...Array.from({ length: plan.kills }, () => killWorker),
    ...Array.from({ length: plan.redisRestarts }, () => restartRedis),
  ].map((act) => ({ act, at: Math.floor((0.05 + 0.85 * random()) * plan.events) }))
  for (const { act, at } of acts.toSorted((a, b) => a.at - b.at)) {
    await until(() => progress() >= at, { withinMs: plan.settleWithinMs, what: `${at} requests` })
    await act()
  }
}
