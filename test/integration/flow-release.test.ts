import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createJobPlaces } from '../../src/delivery/job-places.ts'
import { createQueueOverview } from '../../src/delivery/queue-overview.ts'
import type { LaneEntry } from '../../src/events/lanes.ts'
import { createTransitions } from '../../src/events/transitions.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const [first, second] = ['11222333000181', '12ABC34501DE35'] as const
const lease = 60_000

let redis: TestRedis
let core: Core
/** What was released, in its order. */
let released: number[]
let transitions: ReturnType<typeof createTransitions>
beforeAll(async () => {
  redis = await startTestRedis()
  core = await openCore(redis.url)
  const schedule = async (entries: readonly LaneEntry[]) => {
    released.push(...entries.map(({ n }) => n))
  }
  transitions = createTransitions(core.redis, { graceMs: 0, schedule })
})
afterAll(async () => {
  await core.close()
  await redis.stop()
})
beforeEach(async () => {
  const others = (await core.redis.keys('*')).filter((key) => !/:(seq|epoch)$/.test(key))
  if (others.length > 0) await core.redis.del(...others)
  await allow(2)
  released = []
})

/** Lets the destination have that many deliveries under way. */
const allow = (concurrency: number, slots = 50) =>
  transitions.release(new Map([['default', { concurrency, slots }]]))

const acceptAll = async (count: number, cnpj: string = first) => {
  const ns: number[] = []
  for (let i = 0; i < count; i += 1) ns.push(await core.accept({ cnpj }))
  return ns
}
/** Accepts and enqueues; those that are out are to be added, the others are kept. */
const enqueued = async (count: number, cnpj: string = first) => {
  const ns = await acceptAll(count, cnpj)
  const answers = await transitions.enqueue(ns)
  return { ns, out: ns.filter((_, i) => answers[i]?.kind === 'add') }
}
const start = (n: number, leaseMs = lease, round = 0) => transitions.start(n, round, `owner of ${n}`, leaseMs)
const started = async (n: number) => {
  const answer = await start(n)
  if (answer.kind !== 'started') throw new Error(`job ${n}: ${answer.kind}`)
  return answer.start
}
const deliver = async (n: number) => transitions.finish(n, await started(n), { status: 'DELIVERED' })
const kept = async () => Number((await core.redis.hget(keys.kept, 'nifi')) ?? 0)
const out = async () => (await core.redis.smembers(`${keys.prefix}out:default`)).map(Number).sort()

test('no more jobs are out than a destination may have under way, and each that is over lets the next one go', async () => {
  const { ns, out: given } = await enqueued(5)
  expect(given).toEqual(ns.slice(0, 2))
  expect(await kept()).toBe(3)
  for (const n of ns) await deliver(n)
  expect(released).toEqual(ns.slice(2))
  expect(await kept()).toBe(0)
  expect((await core.redis.keys('*')).filter((key) => /:(out|active|backlog|flows):/.test(key))).toEqual([])
})

test('tenants take turns, however many jobs one of them has waiting', async () => {
  const flood = await enqueued(6, first)
  const other = await enqueued(2, second)
  expect(other.out).toEqual([])
  for (const n of flood.out) await deliver(n)
  for (let i = 0; i < released.length; i += 1) await deliver(released[i] ?? 0)
  const [a, b, c, d] = flood.ns.slice(2)
  expect(released).toEqual([a, other.ns[0], b, other.ns[1], c, d])
})

test('they do so as well when many places are free at once, and whoever is alone then has all of them', async () => {
  const flood = await enqueued(7, first)
  const other = await enqueued(2, second)
  await allow(8)
  const [a, b, c, d] = flood.ns.slice(2)
  expect(released).toEqual([a, other.ns[0], b, other.ns[1], c, d])
  expect([await kept(), await core.redis.hgetall(keys.keptOf)]).toEqual([1, { [first]: '1' }])
})

test('the place that is free again costs Redis the same, however many tenants wait for it', async () => {
  const { ns, out: given } = await enqueued(3)
  await enqueued(2, second)
  await core.redis.config('RESETSTAT')
  for (const n of given) await deliver(n)
  await transitions.discard(ns[2] ?? 0)
  await transitions.look(ns)
  await transitions.recount(['default'])
  const used = (await core.redis.info('commandstats')).match(/(?<=cmdstat_)\w+/g) ?? []
  expect(used).toContain('zpopmin')
  // Those that read a list or set from end to end. HGETALL is of one record.
  expect(used.filter((command) => /^(l|smembers|hkeys|hvals|keys|scan|sort)/.test(command))).toEqual([])
})

test('a change of how many may be under way takes effect with the next release, in both directions', async () => {
  const { ns } = await enqueued(8)
  await allow(5)
  expect(released).toEqual(ns.slice(2, 5))
  await allow(1)
  for (const n of ns.slice(0, 4)) await deliver(n).catch(() => undefined)
  expect(released).toEqual(ns.slice(2, 5))
})

test('with more room than the workers have places, they get a few jobs ahead, in portions', async () => {
  await allow(Number.MAX_SAFE_INTEGER, 8)
  const { ns, out: given } = await enqueued(14)
  expect(given).toEqual(ns.slice(0, 10))
  await deliver(ns[0] ?? 0)
  expect(released).toEqual(ns.slice(10, 11))
})

test('room for thousands of jobs is filled by one release', async () => {
  const ns = await Promise.all(Array.from({ length: 4_500 }, () => core.accept({ cnpj: first })))
  await transitions.enqueue(ns)
  await allow(10_000, 10_000)
  expect(released).toHaveLength(ns.length - 2)
  expect(await kept()).toBe(0)
})

test('whatever a destination may have under way, it leaves others some of the places', async () => {
  await allow(10_000, 8)
  const { ns, out: given } = await enqueued(14)
  expect(given).toEqual(ns.slice(0, 6))
  await allow(10_000, 1)
  await enqueued(1)
  await core.redis.del(`${keys.prefix}out:default`)
  expect((await start(ns[0] ?? 0)).kind).toBe('started')
  expect((await start(ns[1] ?? 0)).kind).toBe('back')
})

test('an attempt begins only where a place is free, and a lease that ran out frees one', async () => {
  await allow(3)
  const [a, b, c] = (await enqueued(3)).ns as [number, number, number]
  await started(a)
  await started(b)
  await allow(2)
  expect(await start(c)).toEqual({ kind: 'back', why: 'BUSY', until: 0 })
  await start(a, 1)
  await until(async () => (await start(c)).kind === 'started', { what: 'the place is free' })
})

test('a job whose delay is over goes to the front when no place is free, and is the next to go', async () => {
  const { ns } = await enqueued(4)
  const [a, b, c, d] = ns as [number, number, number, number]
  await transitions.finish(a, await started(a), { status: 'RETRYING', delayMs: 0 })
  await started(b)
  await started(c)
  expect(await start(a)).toEqual({ kind: 'back', why: 'BUSY', until: 0 })
  await transitions.keep(a, 0, { why: 'BUSY', until: 0 })
  await transitions.finish(b, 1, { status: 'DELIVERED' })
  await transitions.finish(c, 1, { status: 'DELIVERED' })
  expect(released).toEqual([c, a, d])
})

test('jobs that are queued again wait behind those that were accepted before', async () => {
  const { ns } = await enqueued(1)
  await deliver(ns[0] ?? 0)
  const later = await enqueued(3)
  expect(await transitions.requeue({ n: ns[0] ?? 0, maxRounds: 5 })).toMatchObject({ kind: 'requeued' })
  expect(await kept()).toBe(2)
  for (const n of later.ns) await deliver(n)
  expect(released).toEqual([later.ns[2], ns[0]])
})

test('a job that is discarded while it waits leaves nothing behind', async () => {
  const { ns } = await enqueued(3)
  await transitions.discard(ns[2] ?? 0)
  expect(await kept()).toBe(0)
  for (const n of ns.slice(0, 2)) await deliver(n)
  expect(released).toEqual([])
})

test('what an older version has scheduled is delivered, although it was never counted', async () => {
  const { ns } = await enqueued(2)
  await core.redis.del(`${keys.prefix}out:default`)
  await deliver(ns[0] ?? 0)
  await deliver(ns[1] ?? 0)
  expect(await out()).toEqual([])
})

test('a job is refused at the door when as many are kept back as may wait', async () => {
  const crowded = await openCore(redis.url, { maxBacklog: 2 })
  try {
    await allow(2)
    await enqueued(3)
    await core.redis.del(keys.inbox)
    await crowded.accept()
    await expect(crowded.accept()).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
  } finally {
    await crowded.close()
  }
})

test('what one tenant has waiting leaves room for what others send', async () => {
  const crowded = await openCore(redis.url, { maxBacklog: 10 })
  const post = async (cnpj: string) => {
    const n = await crowded.accept({ cnpj })
    await transitions.enqueue([n])
    await core.redis.del(keys.inbox)
    return n
  }
  try {
    await allow(1)
    const out = await post(first)
    for (let i = 0; i < 8; i += 1) await post(first)
    await expect(post(first)).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
    await post(second)
    await deliver(out)
    for (let i = 0; i < 3; i += 1) await deliver(released[i] ?? 0)
    await post(first)
    for (let i = 3; i < released.length; i += 1) await deliver(released[i] ?? 0)
    expect(released.length).toBe(10)
    expect(await core.redis.exists(keys.keptOf)).toBe(0)
  } finally {
    await crowded.close()
  }
})

test('the sweeper finds what counts as out and is not, and what waits where no turn comes', async () => {
  const { ns } = await enqueued(5)
  await core.redis.srem(`${keys.prefix}out:default`, ...ns.map(String))
  await core.redis.sadd(`${keys.prefix}out:default`, '999999998', '999999999')
  await transitions.recount(['default'])
  expect(released).toEqual(ns.slice(2, 4))
  await core.redis.del(`${keys.prefix}flows:default`, keys.backlog('default', first))
  expect(await transitions.look(ns)).toEqual(['scheduled', 'scheduled', 'scheduled', 'scheduled', 'kept'])
  await deliver(ns[2] ?? 0)
  expect(released).toEqual(ns.slice(2, 5))
})

test('what is kept back counts as waiting in its queue, and knows how many come before it', async () => {
  const { ns } = await enqueued(5)
  const { lanes, errorQueue } = core
  const overview = createQueueOverview({ lanes, errorQueue, redis: core.redis })
  const oldest = (await core.job(ns[2] ?? 0))?.receivedAt
  expect(await overview.counts('nifi')).toMatchObject({ waiting: 3, oldestWaitingAt: oldest })
  expect(await createJobPlaces(core.redis)([1, 2, 4].map((at) => ns[at] ?? 0))).toMatchObject([
    { waitsFor: null },
    { waitsFor: 'flow', ahead: 0 },
    { waitsFor: 'flow', ahead: 2 },
  ])
})
