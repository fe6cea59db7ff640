import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { orderingHash } from '../../src/events/ordering.ts'
import type { Route } from '../../src/events/routing.ts'
import { keys } from '../../src/redis/keys.ts'
import { type Instance, openInstance } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { sampleEvent } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { accepted, type TestUpstream, testUpstream } from '../support/upstreams.ts'

let server: TestRedis
beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server.stop())

const open: Instance[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

const nobody: Route[] = []
const three = ['a', 'b', 'c'].map((id) => ({ destination: `dst_${id}`, queue: `queue-${id}` }))
const world = async (routes: readonly Route[], upstream: TestUpstream) => {
  const one = await openInstance(server.url, [upstream], { route: () => routes })
  open.push(one)
  return one
}
const jobs = (one: Instance) => one.redis.xlen(keys.inbox)
const isBound = (one: Instance, externalId: string) =>
  until(
    async () => {
      const ids = await one.redis.keys(keys.await('*'))
      const named = await Promise.all(ids.map((id) => one.redis.hmget(id, 'status', 'externalId')))
      return named.some(([status, name]) => status === 'BOUND' && name === externalId)
    },
    { what: `${externalId} is bound` },
  )

/** Calls, and answers the call by a webhook of the tenant. */
async function answered(one: Instance, externalId: string) {
  const calling = one.call()
  await isBound(one, externalId)
  const before = await jobs(one)
  const event = await one.webhook({ id: externalId })
  return { event, outcome: await calling, jobs: (await jobs(one)) - before }
}

test('a webhook that no destination wants answers its call all the same, without a job', async () => {
  const one = await world(nobody, testUpstream({ answer: () => accepted('ext-nobody') }))
  const { event, outcome, jobs } = await answered(one, 'ext-nobody')
  expect({ ns: event.ns, jobs }).toEqual({ ns: [], jobs: 0 })
  expect(outcome).toMatchObject({ kind: 'replied', reply: { n: null, failed: false } })
})

test('a webhook for several destinations answers once, with the first of its jobs', async () => {
  const one = await world(three, testUpstream({ answer: () => accepted('ext-three') }))
  const { event, outcome, jobs } = await answered(one, 'ext-three')
  expect(event.ns).toHaveLength(3)
  expect(jobs).toBe(3)
  expect(outcome).toMatchObject({ kind: 'replied', reply: { n: event.ns[0] } })
})

test('an answer that is not to be delivered goes to none of the destinations, what answers nothing to all', async () => {
  const upstream = testUpstream({ answer: () => accepted('ext-kept'), deliverReplies: false })
  const one = await world(three, upstream)
  const { event, outcome, jobs } = await answered(one, 'ext-kept')
  expect({ ns: event.ns, jobs }).toEqual({ ns: [], jobs: 0 })
  expect(outcome).toMatchObject({ kind: 'replied', reply: { n: null } })
  expect((await one.webhook({ id: 'ext-unheard-of' })).ns).toHaveLength(3)
})

test('the job of a callback has all that its event had, and stands in the line of its ordering key', async () => {
  const upstream = testUpstream()
  const one = await world([{ destination: 'dst_fifo', queue: 'fifo', fifo: true }], upstream)
  const calling = one.call()
  const { callbackUrl } = await until(() => upstream.calls[0])
  const named = { eventType: 'payment.made', correlationId: 'trace-7', orderingKey: 'account 7' }
  const { ns, eventId } = await one.callback(callbackUrl, { paid: true }, named)
  const [n = 0] = ns
  await calling
  const { about, ...fields } = await one.redis.hgetall(keys.job(n))
  const { cnpj, contentType, headers } = sampleEvent
  expect(about).toMatch(new RegExp(`^${eventId} ${cnpj} dst_fifo fifo \\d+ payment\\.made$`))
  expect(fields).toEqual({
    ...{ body: '{"paid":true}', headers: JSON.stringify(headers), contentType, correlation: 'trace-7' },
    ...{ status: 'RECEIVED', journalId: expect.any(String), ordering: orderingHash('account 7') },
  })
  const line = keys.order('dst_fifo', cnpj, orderingHash('account 7'))
  expect(await one.redis.zrange(line, '0', '-1')).toEqual([String(n)])
})

test('a callback is delivered to every destination, and its repeat to none', async () => {
  const upstream = testUpstream()
  const one = await world(three, upstream)
  const calling = one.call()
  const { callbackUrl } = await until(() => upstream.calls[0])
  const first = await one.callback(callbackUrl, { nth: 1 })
  expect((await one.callback(callbackUrl, { nth: 2 })).ns).toEqual([])
  expect(first.ns).toHaveLength(3)
  expect(await calling).toMatchObject({ kind: 'replied', reply: { n: first.ns[0] } })
})

test.each([
  ['nobody wants', nobody, 0],
  ['three destinations want', three, 3],
])(
  'a webhook that comes before its external id is known, and that %s, answers too',
  async (_, routes, count) => {
    const externalId = `ext-early-${count}`
    let early = async (): Promise<unknown> => undefined
    const upstream = testUpstream({
      async answer() {
        await early()
        return accepted(externalId)
      },
    })
    const one = await world(routes, upstream)
    let ns: number[] = []
    early = async () => {
      ns = (await one.webhook({ id: externalId })).ns
    }
    const outcome = await one.call()
    expect(ns).toHaveLength(count)
    expect(outcome).toMatchObject({ kind: 'replied', reply: { n: ns[0] ?? null } })
  },
)
