import { expect, test } from 'vitest'
import { defaultDestinationId, defaultQueue } from '../../src/events/routing.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { jobStages } from '../support/job-stages.ts'

const others = ['a', 'b', 'c']
const { core } = await coreForFile({
  route: ({ eventType }) => {
    const destination = others.find((one) => one === eventType) ?? defaultDestinationId
    return [{ destination, queue: defaultQueue }]
  },
})
const { queued, start, started, finish } = jobStages(() => core)
const several = <Value>(make: () => Promise<Value>) => Promise.all([make(), make(), make()])

/** How often scripts were run since Redis started. */
async function scriptCalls() {
  const calls = (await core.redis.info('commandstats')).matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** In place of a record something that no script can read; gives back what puts the record there again. */
async function spoil(key: string) {
  await core.redis.rename(key, `${key}:aside`).catch(() => undefined)
  await core.redis.set(key, 'no hash and no list')
  return async () => {
    await core.redis.del(key)
    await core.redis.rename(`${key}:aside`, key)
  }
}

test('the starts of one turn are one call, and so are the finishes', async () => {
  const ns = await several(queued)
  // The first call brings a script to Redis.
  await start(ns[0], 7)
  await finish(ns[0], 7, { status: 'DELIVERED', attempt: sampleAttempt(7) })
  const before = await scriptCalls()
  const begun = await Promise.all(ns.map((n) => start(n)))
  const between = await scriptCalls()
  const attempt = sampleAttempt(1)
  const ended = await Promise.all(ns.map((n) => finish(n, 1, { status: 'DELIVERED', attempt })))
  expect(begun.map(({ kind }) => kind)).toEqual(['started', 'started', 'started'])
  expect(ended).toMatchObject([{ status: 'DELIVERED' }, { status: 'DELIVERED' }, { status: 'DELIVERED' }])
  expect([between - before, (await scriptCalls()) - between]).toEqual([1, 1])
})

test('starts whose bodies are too much for one answer are several calls, and each has its own body', async () => {
  const bodies = ['a', 'b', 'c'].map((letter) => Buffer.alloc(2.5 * 1024 * 1024, letter))
  const ns = await Promise.all(bodies.map((body) => core.accept({ body, contentType: 'text/plain' })))
  await core.transitions.enqueue(ns)
  await start(ns[0] ?? 0, 7)
  const before = await scriptCalls()
  const begun = await Promise.all(ns.map((n) => start(n)))
  expect((await scriptCalls()) - before).toBe(2)
  for (const [i, one] of begun.entries())
    expect(one.kind === 'started' && bodies[i]?.equals(one.body)).toBe(true)
  expect((await core.records.jobs(ns)).map(({ attempts }) => attempts)).toEqual([1, 1, 1])
})

test('a job that cannot be started is refused alone, whatever starts with it', async () => {
  const ns = await several(queued)
  const mend = await spoil(keys.job(ns[1]))
  const [first, broken, last] = await Promise.allSettled(ns.map((n) => start(n)))
  expect([first, last]).toMatchObject([{ value: { kind: 'started' } }, { value: { kind: 'started' } }])
  expect(broken).toMatchObject({
    status: 'rejected',
    reason: { message: expect.stringMatching(/^WRONGTYPE/) },
  })
  await mend()
  expect(await start(ns[1])).toMatchObject({ kind: 'started' })
})

test('what cannot be read of a destination stops each of its jobs, not the first of a turn alone', async () => {
  const ns = await several(queued)
  const gate = `${keys.prefix}gate:${(await core.job(ns[0]))?.destination}`
  await core.redis.hset(gate, 'shutFrom', 'whenever')
  const begun = await Promise.allSettled(ns.map((n) => start(n)))
  await core.redis.hdel(gate, 'shutFrom')
  expect(begun.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect((await core.records.jobs(ns)).map(({ status }) => status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED'])
})

test('an outcome that cannot be recorded harms no other one of its turn', async () => {
  const ns = await several(() => started())
  await spoil(keys.attempts(ns[1]))
  const attempt = sampleAttempt(1)
  const ended = await Promise.allSettled(ns.map((n) => finish(n, 1, { status: 'DELIVERED', attempt })))
  expect(ended).toMatchObject([
    { value: { status: 'DELIVERED' } },
    { status: 'rejected', reason: { message: expect.stringMatching(/^WRONGTYPE/) } },
    { value: { status: 'DELIVERED' } },
  ])
  expect((await core.records.jobs(ns)).map(({ status }) => status)).toEqual([
    'DELIVERED',
    'DELIVERING',
    'DELIVERED',
  ])
})

test('outcomes of one turn count each for its own destination, in whatever order they come', async () => {
  const outcomes = [
    ...[['a', 'ok'] as const, ['b', 'fault'] as const],
    ...[['a', 'fault'] as const, ['b', 'ok'] as const],
    ...[['a', 'ok'] as const, ['c', 'ok'] as const],
  ]
  const ns = await Promise.all(outcomes.map(([eventType]) => core.accept({ eventType })))
  await core.transitions.enqueue(ns)
  const terms = { breakAt: 1, breakAfter: 100, coolDown: 1_000 }
  await Promise.all(ns.map((n) => core.transitions.start(n, 0, 'me', 30_000, terms)))
  await Promise.all(outcomes.map(([, of], i) => finish(ns[i] ?? 0, 1, { status: 'DELIVERED', class: of })))
  const counted = async (destination: string) => {
    const [slice = '', ...more] = await core.redis.keys(`${keys.prefix}gate:${destination}:*`)
    expect(more).toEqual([])
    expect(await core.redis.pttl(slice)).toBeGreaterThan(0)
    return core.redis.hgetall(slice)
  }
  expect(await counted('a')).toEqual({ ok: '2', fault: '1' })
  expect(await counted('b')).toEqual({ ok: '1', fault: '1' })
  expect(await counted('c')).toEqual({ ok: '1' })
})

test('a record that cannot be read does not keep those behind it from their turn', async () => {
  const destination = (await core.job(await queued()))?.destination ?? ''
  await core.transitions.release(new Map([[destination, { concurrency: 1, slots: 50 }]]))
  const ns = await several(queued)
  await spoil(keys.job(ns[0]))
  await core.transitions.release(new Map([[destination, { concurrency: 40, slots: 50 }]]))
  expect((await core.redis.smembers(`${keys.prefix}out:${destination}`)).map(Number)).toEqual(
    expect.arrayContaining([ns[1], ns[2]]),
  )
})

test('jobs that are kept back are counted, also when another one of their call cannot be read', async () => {
  const { destination, queue } = (await core.job(await queued())) ?? {}
  await core.transitions.release(new Map([[destination ?? '', { concurrency: 1, slots: 50 }]]))
  const kept = async () => Number(await core.redis.hget(keys.kept, queue ?? ''))
  const before = await kept()
  const ns = await several(() => core.accept())
  const mend = await spoil(keys.job(ns[2]))
  await expect(core.transitions.enqueue(ns)).rejects.toThrow(/^WRONGTYPE/)
  expect((await kept()) - before).toBe(2)
  await mend()
  await core.transitions.enqueue(ns)
  expect((await kept()) - before).toBe(3)
})
