import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { IncomingEvent } from '../../src/events/event.ts'
import { createSpentOfBurst } from '../../src/events/rate-limit.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore, sampleEvent } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

/** Slow enough that nothing becomes free during a test. */
const slow = { perSecond: 0.01, burst: 3 }
const limited = { code: 'RATE_LIMITED', status: 429 }

let server: TestRedis
let one: Core
let two: Core
let full: Core
beforeAll(async () => {
  server = await startTestRedis()
  ;[one, two, full] = await Promise.all([
    openCore(server.url, { route: ({ eventType }) => (eventType === 'nobody.cares' ? [] : routes) }),
    openCore(server.url),
    openCore(server.url, { maxBacklog: 1 }),
  ])
})
afterAll(async () => {
  await Promise.all([one, two, full].map((core) => core.close()))
  await server.stop()
})
const routes = ['erp', 'nifi'].map((destination) => ({ destination, queue: 'nifi' }))

let tenants = 0
let cnpj = ''
beforeEach(() => {
  tenants += 1
  cnpj = `T${tenants}`
})
const post = (core: Core, event: Partial<IncomingEvent> = {}) =>
  core.intake.accept({ ...sampleEvent, cnpj, rateLimit: slow, ...event })
const outcomes = async (posts: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(posts)).map(({ status }) => status === 'fulfilled')
const spent = () => createSpentOfBurst(one.redis)(cnpj, slow)

test('takes the burst, however many instances and calls it comes through, and refuses the next', async () => {
  expect((await post(one)).rateLimit).toEqual({ ...slow, remaining: 2, fullInMs: 100_000 })
  expect(await outcomes([post(two), post(two), post(two)])).toEqual([true, true, false])
  const last = await one.redis.get(keys.seq)
  const { retryAfterSeconds, details } = await post(one).catch((error) => error)
  // Less what a busy machine took since the first.
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(50)
  expect(retryAfterSeconds).toBeLessThanOrEqual(100)
  expect(details).toMatchObject({ ...slow, remaining: 0, fullInMs: expect.any(Number) })
  expect(details.fullInMs).toBeGreaterThan(250_000)
  expect(await one.redis.get(keys.seq)).toBe(last)
})

test('refuses within a batch whose rate is spent, and nobody else', async () => {
  const others = [post(one, { cnpj: 'other' }), post(one, { rateLimit: undefined })]
  const own = Array.from({ length: 5 }, () => post(one))
  expect(await outcomes([...own, ...others])).toEqual([true, true, true, false, false, true, true])
})

test('costs a repeated event nothing, also when the rate is spent', async () => {
  const first = await post(one, { idempotencyKey: 'a' })
  for (let i = 0; i < 5; i += 1)
    expect(await post(two, { idempotencyKey: 'a' })).toMatchObject({ ns: first.ns })
  expect(await spent()).toBe(1)
  await Promise.all([post(one), post(one)])
  await expect(post(one)).rejects.toMatchObject(limited)
  expect(await post(two, { idempotencyKey: 'a' })).toMatchObject({
    ...{ eventId: first.eventId, repeated: true, rateLimit: { ...slow, remaining: 0 } },
  })
})

test('remembers no key of an event that it refused, so that its repeat is taken later', async () => {
  await Promise.all([post(one), post(one), post(one)])
  await expect(post(one, { idempotencyKey: 'a' })).rejects.toMatchObject(limited)
  const later = { idempotencyKey: 'a', rateLimit: { perSecond: 0.01, burst: 4 } }
  expect(await post(one, later)).toMatchObject({ repeated: false })
})

test('counts an event once, whether it has several destinations or none, and a conflict not at all', async () => {
  await post(one, { idempotencyKey: 'a' })
  await post(one, { eventType: 'nobody.cares' })
  expect(await spent()).toBe(2)
  await expect(post(one, { idempotencyKey: 'a', body: Buffer.from('other') })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_CONFLICT',
  })
  expect(await spent()).toBe(2)
})

test('costs nothing when the backlog refuses the event', async () => {
  await post(one)
  await expect(post(full)).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
  expect(await spent()).toBe(1)
})

test('costs no call to Redis of its own', async () => {
  const calls = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await one.redis.info('commandstats'))?.[1])
  const before = await calls()
  await Promise.all(Array.from({ length: 50 }, () => post(one, { rateLimit: { perSecond: 1, burst: 50 } })))
  expect((await calls()) - before).toBe(1)
})

test('leaves nothing in Redis for a tenant without a limit, nor once all is free again', async () => {
  const key = `${keys.ratePrefix}${cnpj}`
  await post(one, { rateLimit: undefined })
  expect(await one.redis.exists(key)).toBe(0)
  await post(one)
  expect(await one.redis.pttl(key)).toBeGreaterThan(0)
  // What was spent is free sooner at a higher rate.
  await post(one, { rateLimit: { perSecond: 2, burst: 3 } })
  await until(async () => (await one.redis.exists(key)) === 0, { what: 'all is free' })
  expect((await post(one, { rateLimit: { perSecond: 10, burst: 1 } })).rateLimit?.remaining).toBe(0)
})

test('two instances at once never take more than the burst and what the time gives, and no less', async () => {
  // As much as ten seconds give: what a busy machine leaves unasked for meanwhile is not lost.
  const rateLimit = { perSecond: 50, burst: 500 }
  const times: number[] = []
  const end = Date.now() + 600
  const hammer = async (core: Core) => {
    // All that was to be had by then is taken once somebody is refused.
    for (let isRefused = false; Date.now() < end || !isRefused; ) {
      const answers = await Promise.allSettled(Array.from({ length: 20 }, () => post(core, { rateLimit })))
      isRefused = answers.some(({ status }) => status === 'rejected')
      const ns = answers.flatMap((answer) =>
        answer.status === 'fulfilled' ? answer.value.ns.slice(0, 1) : [],
      )
      times.push(...(await core.records.jobs(ns)).map(({ receivedAt }) => receivedAt))
    }
  }
  await Promise.all([hammer(one), hammer(two)])
  times.sort((a, b) => a - b)
  const given = (ms: number) => rateLimit.burst + (rateLimit.perSecond * ms) / 1_000
  const excess = times.map((from, i) =>
    Math.max(...times.slice(i).map((to, more) => more + 1 - given(to - from))),
  )
  expect(Math.max(...excess)).toBeLessThanOrEqual(0)
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0)
  expect(times.length).toBeGreaterThanOrEqual(0.8 * given(span))
  expect(times.length, 'the burst alone is less').toBeGreaterThan(rateLimit.burst)
})
