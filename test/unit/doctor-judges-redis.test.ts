import { expect, test } from 'vitest'
import { judgeRedis } from '../../src/cli/doctor/judge-redis.ts'
import type { RedisFacts } from '../../src/cli/doctor/redis-facts.ts'

const healthy = {
  redis_version: '7.2.5',
  cluster_enabled: '0',
  role: 'master',
  aof_enabled: '1',
  aof_last_write_status: 'ok',
  maxmemory: String(2 ** 30),
  used_memory: String(2 ** 20),
  maxmemory_policy: 'noeviction',
}
type Changes = { info?: Record<string, string> } & Partial<Omit<RedisFacts, 'info'>>
const judged = ({ info = {}, ...rest }: Changes) =>
  judgeRedis({
    ...{ appendfsync: 'everysec', latencyMs: 0.2, clockAheadMs: 3, ...rest },
    info: new Map(Object.entries({ ...healthy, ...info })),
  })
const notOk = (changes: Changes) =>
  judged(changes)
    .filter(({ status }) => status !== 'ok')
    .map(({ name, status, advice }) => ({ name, status, advice }))

test('a healthy Redis is told with what was found', () => {
  expect(judged({}).map(({ status, name, message }) => `${status} ${name}: ${message}`)).toEqual([
    'ok Redis version: 7.2.5',
    'ok Redis persistence: append-only file, appendfsync everysec',
    'ok Redis eviction: noeviction',
    'ok Redis memory: 1 MB of 1,024 MB used',
    'ok Redis latency: 0.2 ms a round trip',
    'ok Clock: this machine and Redis are less than 0.1 s apart',
  ])
})

test.each<[string, Changes, string, string, RegExp]>([
  ['too old', { info: { redis_version: '6.0.16' } }, 'Redis version', 'fail', /6\.2 or newer/],
  ['a node of a Cluster', { info: { cluster_enabled: '1' } }, 'Redis kind', 'fail', /several of its nodes/],
  ['a replica', { info: { role: 'slave' } }, 'Redis role', 'fail', /primary/],
  ['without a file', { info: { aof_enabled: '0' } }, 'Redis persistence', 'fail', /appendonly to yes/],
  ['with a broken file', { info: { aof_last_write_status: 'err' } }, 'Redis persistence', 'fail', /disk/],
  ['that never flushes', { appendfsync: 'no' }, 'Redis persistence', 'warn', /everysec/],
  ['that evicts', { info: { maxmemory_policy: 'allkeys-lru' } }, 'Redis eviction', 'fail', /noeviction/],
  ['without a limit', { info: { maxmemory: '0' } }, 'Redis memory', 'warn', /set maxmemory/],
  [
    'nearly full',
    { info: { used_memory: String(0.8 * 2 ** 30) } },
    'Redis memory',
    'fail',
    /raise maxmemory/,
  ],
  ['far away', { latencyMs: 11 }, 'Redis latency', 'warn', /near Gancho/],
  ['hardly there', { latencyMs: 101 }, 'Redis latency', 'fail', /near Gancho/],
  ['whose clock is a little off', { clockAheadMs: -1_500 }, 'Clock', 'warn', /NTP/],
  ['whose clock is off', { clockAheadMs: 31_000 }, 'Clock', 'fail', /NTP/],
])('a Redis %s is told with what to do', (_what, changes, name, status, advice) => {
  expect(notOk(changes)).toEqual([{ name, status, advice: expect.stringMatching(advice) }])
})

test('a Redis that keeps its settings to itself is not suspected', () => {
  expect(notOk({ appendfsync: undefined })).toEqual([])
})
