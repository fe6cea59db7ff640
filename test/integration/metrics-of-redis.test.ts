import { afterAll, beforeAll, expect, test } from 'vitest'
import { createQueueOverview } from '../../src/delivery/queue-overview.ts'
import { redisFigures } from '../../src/metrics/redis-figures.ts'
import { keys } from '../../src/redis/keys.ts'
import { serverInfo } from '../../src/redis/server-info.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { jobSteps } from '../support/job-steps.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let core: Core
beforeAll(async () => {
  server = await startTestRedis()
  core = await openCore(server.url)
})
afterAll(async () => {
  await core.close()
  await server.stop()
})

const open = (tail?: string, withinMs = 60_000, of = core) => {
  const { connections, lanes, errorQueue } = of
  const redis = connections.commands
  const overview = createQueueOverview({ lanes, errorQueue, redis })
  return redisFigures({
    ...{ redis, lanes, overview, openBreakers: async () => ['nifi', 'gone', 'nifi'] },
    tail: () => tail,
    withinMs,
  })
}

test('the backlog, the journal and what history lacks of it are told, and each queue', async () => {
  const read = open()
  expect(await read()).toMatchObject({ backlog: 0, journal: 0, projectorLagMs: 0 })
  const n = await core.accept()
  await core.accept()
  await jobSteps(core).fail(n)
  // Older than a moment by Redis' own clock.
  await until(async () => ((await read())?.projectorLagMs ?? 0) >= 5, { what: 'history falls behind' })
  const figures = await read()
  expect(figures).toMatchObject({
    backlog: 2,
    queues: [{ name: 'nifi', waiting: 0, active: 0, delayed: 0, failed: 1, paused: false, openBreakers: 2 }],
  })
  expect(figures?.journal).toBe(await core.redis.xlen(keys.journal))
  expect(figures?.roundTripMs).toBeGreaterThan(0)

  const [last] = await core.redis.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
  await core.redis.set(keys.projected, last?.[0] ?? '')
  expect((await read())?.projectorLagMs).toBe(0)

  const [first] = await core.redis.xrange(keys.journal, '-', '+', 'COUNT', 1)
  const lagOf = async (tail?: string) => (await open(tail)())?.tailLagMs
  expect(await lagOf(first?.[0])).toBeGreaterThan(0)
  expect(await lagOf(last?.[0])).toBe(0)
  expect(await lagOf()).toBe(0)
})

test('queues that come into being are told of from then on', async () => {
  const read = open()
  const names = async () => (await read())?.queues.map(({ name }) => name)
  expect(await names()).toEqual(['nifi'])
  await core.lanes.add([{ n: 1_000, round: 0, queue: 'fresh' }])
  expect(await names()).toEqual(['nifi', 'fresh'])
  const fresh = (await read())?.queues[1]
  expect(fresh).toMatchObject({ waiting: 1, active: 0, delayed: 0, failed: 0, paused: false })
  await until(async () => ((await read())?.queues[1]?.oldestWaitingMs ?? 0) > 0, { what: 'it waits' })
})

test('memory is told as a part of what Redis may use, and as 0 where it may use all', async () => {
  const read = open()
  const share = async (most: number) => {
    await core.redis.config('SET', 'maxmemory', most)
    return (await read())?.memoryShare
  }
  const used = Number((await serverInfo(core.redis, 'memory')).get('used_memory'))
  expect(await share(used * 4)).toBeCloseTo(0.25, 1)
  expect(await share(0)).toBe(0)
})

test('Redis is read once for all who ask at the same time', async () => {
  const monitor = await core.connections.dedicated('monitor').monitor()
  const commands: string[] = []
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args.join(' ')))
  const read = open()
  const all = await Promise.all(Array.from({ length: 20 }, () => read()))
  expect(new Set(all).size).toBe(1)
  expect(await read()).not.toBe(all[0])
  await core.redis.echo('that is all')
  await expect.poll(() => commands.some((command) => command.includes('that is all'))).toBe(true)
  monitor.disconnect()
  expect(commands.filter((command) => command === 'ping')).toHaveLength(2)
})

test('a Redis that hangs is waited for no longer than allowed', async () => {
  const waiting = await openCore(server.url, { commandTimeoutMs: null })
  process.kill(server.pid, 'SIGSTOP')
  try {
    // The other one ends with the deadline of its command, which is longer.
    const [hurried, patient] = [open(undefined, 100, waiting)(), open(undefined, 60_000, waiting)()]
    expect(await Promise.race([hurried.then(() => 'hurried'), patient.then(() => 'patient')])).toBe('hurried')
    expect([await hurried, await patient]).toEqual([null, null])
  } finally {
    process.kill(server.pid, 'SIGCONT')
    await waiting.close()
  }
  await core.redis.ping()
  await expect.poll(() => open()()).not.toBeNull()
})
