import { pino } from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { createQueueStats } from '../../src/delivery/queue-stats.ts'
import { keys } from '../../src/redis/keys.ts'
import { graphql } from '../gql/gql.ts'
import { eventually } from '../support/eventually.ts'
import { graphqlForFile } from '../support/graphql-for-file.ts'
import { jobSteps } from '../support/job-steps.ts'
import { numericCnpj } from '../support/tenants.ts'

const Stats = graphql(`
  subscription Stats($name: String, $everyMs: Int) {
    queueStats(name: $name, everyMs: $everyMs) {
      name waiting active delayed failed paused oldestWaitingAt inPerSecond outPerSecond
    }
  }
`)
const Queues = graphql(`query Rates { queues { name waiting oldestWaitingAt inPerSecond outPerSecond } }`)

const { services, client, administrator, tenant } = await graphqlForFile()

const accept = async (): Promise<number> => {
  const event = { cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('{}'), idempotencyKey: null })
  return ns[0] ?? 0
}

describe('queue statistics', () => {
  test('tell at once what is there, and then what has become of it', async () => {
    const { data, stream } = await administrator.subscribe(Stats, { everyMs: 500 })
    const idle = { name: 'nifi', waiting: 0, active: 0, delayed: 0, failed: 0, paused: false }
    expect(await data()).toMatchObject({ queueStats: [{ ...idle, oldestWaitingAt: null }] })
    const before = Date.now()
    const steps = jobSteps(services)
    await steps.enqueue(await accept())
    await steps.enqueue(await accept())
    await steps.fail(await accept())
    await eventually(async () => {
      const { queueStats } = await data()
      expect(queueStats).toMatchObject([{ ...idle, waiting: 2, failed: 1 }])
      const oldest = Date.parse(String(queueStats[0]?.oldestWaitingAt))
      expect(oldest).toBeGreaterThanOrEqual(before)
      expect(oldest).toBeLessThanOrEqual(Date.now())
    })
    stream.close()
  })

  test('have rates over the last whole minute, which queries show too', async () => {
    const redis = services.redis
    const flows = async () => (await redis.keys(`${keys.journal}:flow:*`)).sort()
    for (const key of await flows()) await redis.del(key)
    const steps = jobSteps(services)
    const n = await accept()
    await accept()
    await steps.fail(n)
    await services.transitions.requeue({ n, maxRounds: 5 })
    await steps.deliver(await accept())
    // What was counted just now, as if it had been 30 s ago.
    const [key = '', ...others] = await flows()
    const counts = await redis.hgetall(key)
    for (const other of others) {
      for (const [field, count] of Object.entries(await redis.hgetall(other)))
        counts[field] = String(Number(counts[field] ?? 0) + Number(count))
    }
    expect(counts).toEqual({ 'in:nifi': '4', 'out:nifi': '2' })
    expect(await redis.ttl(key)).toBeGreaterThan(60)
    const bucket = Number(key.split(':').at(-1))
    await redis.del(key, ...others)
    await redis.hset(`${keys.journal}:flow:${bucket - 3}`, counts)
    const { queues } = await client.data(Queues)
    expect(queues).toMatchObject([{ inPerSecond: 4 / 60, outPerSecond: 2 / 60 }])
  })

  test('are for administrators, of queues that there are, and not too often', async () => {
    expect(await tenant.codes(Stats)).toEqual(['FORBIDDEN'])
    expect(await administrator.codes(Stats, { name: 'other' })).toEqual(['QUEUE_NOT_FOUND'])
    expect(await administrator.codes(Stats, { everyMs: 499 })).toEqual(['BAD_REQUEST'])
    expect(await administrator.codes(Stats, { everyMs: 60_001 })).toEqual(['BAD_REQUEST'])
  })
})

describe('many who watch', () => {
  test('have the queues read once for all of them, get the latest when they are slow, and nothing goes on without them', async () => {
    const counts = vi.fn(services.queueOverview.counts)
    const parts = { lanes: services.lanes, overview: { counts }, log: pino({ level: 'silent' }) }
    const watchedEvery = async (tickMs: number) => {
      const stats = createQueueStats({ ...parts, tickMs })
      return Promise.all(Array.from({ length: 100 }, () => stats.watch(tickMs)))
    }
    // Longer than it takes a hundred to come.
    const early = await watchedEvery(60_000)
    const first = await Promise.all(early.map((one) => one.next()))
    expect(new Set(first.map(({ value }) => value)).size).toBe(1)
    expect(counts).toHaveBeenCalledTimes(1)
    for (const one of early) await one.return?.()

    const all = await watchedEvery(100)
    const [fast, slow] = all
    await fast?.next()
    counts.mockClear()
    await eventually(() => expect(counts.mock.calls.length).toBeGreaterThan(3), 1)
    const [latest, same] = await Promise.all([slow?.next(), fast?.next()])
    expect(latest?.value).toBe(same?.value)

    const ended = all.map((one) => one.next())
    for (const one of all) await one.return?.()
    await Promise.all(ended)
    expect(await all[0]?.next()).toEqual({ done: true, value: undefined })
    const calls = counts.mock.calls.length
    const others = vi.fn(services.queueOverview.counts)
    const other = createQueueStats({ ...parts, overview: { counts: others }, tickMs: 20 })
    const watcher = await other.watch(20)
    await eventually(() => expect(others.mock.calls.length).toBeGreaterThan(5), 1)
    other.close()
    expect(await watcher.next()).toEqual({ done: true, value: undefined })
    // Not one tick of those who left, while others had several.
    expect(counts).toHaveBeenCalledTimes(calls)
  })
})
