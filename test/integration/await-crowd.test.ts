import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Instance, openInstance } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { seededRandom } from '../support/random.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, testUpstream } from '../support/upstreams.ts'

const count = 400
const late = 'late'
const random = seededRandom(16)
/** For each call: when its webhook comes, where, and in which of the ways in which that goes wrong. */
const plans = Array.from({ length: count }, (_, nth) => ({
  nth,
  delayMs: random() * 100,
  at: random() < 0.5 ? 0 : 1,
  way: ['early', 'double', late][Math.floor(random() * 20)] ?? 'plain',
}))

let server: TestRedis
let instances: Instance[]
const posted: Promise<unknown>[] = []
const upstream = testUpstream({
  async answer({ body }) {
    const plan = plans[Number(body)] as (typeof plans)[number]
    const { nth, delayMs, way } = plan
    const post = () => instances[plan.at]?.webhook({ id: `crowd-${nth}`, nth })
    if (way === 'early') await post()
    else if (way !== late) posted.push(sleep(delayMs).then(post))
    if (way === 'double') posted.push(sleep(delayMs + 20).then(post))
    return accepted(`crowd-${nth}`)
  },
})
beforeAll(async () => {
  server = await startTestRedis()
  instances = [await openInstance(server.url, [upstream]), await openInstance(server.url, [upstream])]
})
afterAll(async () => {
  await Promise.all(instances.map((one) => one.close()))
  await server.stop()
})

/** Not before the deadline is over by Redis' clock as well, which began to count a moment after the caller's. */
async function comeLate({ correlator, webhook }: Instance, awaitId: string, nth: number) {
  await until(async () => (await correlator.awaited.read(awaitId))?.status === 'EXPIRED')
  await webhook({ id: `crowd-${nth}`, nth })
}

test('of hundreds who wait at two instances, everyone gets exactly its own reply, or the handle of a late one', async () => {
  const call = async ({ nth, way }: (typeof plans)[number]) => {
    const one = instances[nth % 2] as Instance
    const outcome = await one.call({
      body: Buffer.from(String(nth)),
      ...(way === late && { timeoutMs: 200 }),
    })
    return { nth, way, outcome }
  }
  const own = (nth: number) => JSON.stringify({ id: `crowd-${nth}`, nth })
  const all = await Promise.all(plans.map(call))
  await Promise.all(posted)
  await Promise.all(instances.map(({ correlator }) => correlator.idle()))
  for (const { nth, way, outcome } of all) {
    expect(outcome.kind, `call ${nth}, ${way}`).toBe(way === late ? 'pending' : 'replied')
    if ('reply' in outcome) expect(outcome.reply.body.toString()).toBe(own(nth))
    const { awaitId } = outcome as { awaitId: string }
    if (way === late) await comeLate(instances[nth % 2] as Instance, awaitId, nth)
    const kept = await instances[(nth + 1) % 2]?.correlator.awaited.read(awaitId)
    expect(kept?.reply?.body.toString()).toBe(own(nth))
    expect([kept?.status, kept?.duplicates]).toEqual([
      way === late ? 'LATE' : 'REPLIED',
      way === 'double' ? 1 : 0,
    ])
  }
})
