import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const group = 'dispatchers'
let lines: string[]
let server: TestRedis
let core: Core
beforeEach(async () => {
  lines = []
  server = await startTestRedis()
  core = await openCore(server.url, { log: pino({ level: 'info' }, { write: (line) => lines.push(line) }) })
})
afterEach(async () => {
  await core.close()
  await server.stop()
})

const waiting = () => core.lanes.get('nifi').queue.getWaitingCount()
const inboxIsEmpty = () =>
  until(async () => (await core.redis.xlen(keys.inbox)) === 0, { what: 'an empty inbox' })
const consumers = async () => (await core.redis.xinfo('CONSUMERS', keys.inbox, group)) as string[][]

test('a dispatched entry leaves the inbox, and a job that waits there yet stays whatever else goes', async () => {
  const first = core.newDispatcher()
  first.start()
  for (let i = 0; i < 5; i += 1) await core.accept()
  await inboxIsEmpty()
  await first.stop()
  const ns = await Promise.all(Array.from({ length: 700 }, () => core.accept()))
  expect(await core.redis.xlen(keys.inbox)).toBe(700)
  const second = core.newDispatcher()
  second.start()
  await inboxIsEmpty()
  await second.stop()
  expect(await waiting()).toBe(705)
  expect(await core.job(ns[0] ?? 0)).toMatchObject({ status: 'QUEUED' })
  expect(await core.redis.xpending(keys.inbox, group)).toEqual([0, null, null, null])
})

test('a group that Redis lost, alone or with the inbox, is made again, finds what waits, and fills no log', async () => {
  const dispatcher = core.newDispatcher()
  dispatcher.start()
  await core.accept()
  await inboxIsEmpty()
  for (let i = 0; i < 3; i += 1) {
    await core.redis.xgroup('DESTROY', keys.inbox, group)
    await core.accept()
    await inboxIsEmpty()
  }
  expect(lines).toEqual([])
  await core.redis.del(keys.inbox)
  await core.accept()
  await inboxIsEmpty()
  await dispatcher.stop()
  expect(await waiting()).toBe(5)
  expect(lines.length).toBeLessThanOrEqual(2) // That it stopped, and that it goes on.
})

test('while Redis refuses to make the group, that is told once and tried at a calm pace', async () => {
  const dispatcher = core.newDispatcher()
  await core.accept()
  await core.redis.config('SET', 'maxmemory', '1')
  await core.redis.config('RESETSTAT')
  dispatcher.start()
  await until(() => lines.length > 0)
  const tries = async () =>
    Number(/cmdstat_xgroup\|create:.*rejected_calls=(\d+)/.exec(await core.redis.info('commandstats'))?.[1])
  await until(async () => (await tries()) >= 3, { what: 'three tries' })
  await core.redis.config('SET', 'maxmemory', '0')
  await inboxIsEmpty()
  await dispatcher.stop()
  expect(await tries()).toBeLessThan(10)
  expect(lines.filter((line) => line.includes('cannot dispatch')).length).toBe(1)
  expect(lines.filter((line) => line.includes('dispatching again')).length).toBe(1)
})

test('a job discarded in the inbox is not scheduled, and who stops with empty hands leaves no consumer behind', async () => {
  const n = await core.accept()
  await core.transitions.discard(n)
  const dispatcher = core.newDispatcher()
  dispatcher.start()
  await inboxIsEmpty()
  expect((await consumers()).length).toBe(1)
  await dispatcher.stop()
  expect(await consumers()).toEqual([])
  expect(await waiting()).toBe(0)
  expect(await core.job(n)).toMatchObject({ status: 'DISCARDED' })
})

test('a dispatcher that stops with a batch it could not dispatch leaves it for another to claim', async () => {
  const addFails = { ...core.lanes, add: () => Promise.reject(new Error('no BullMQ today')) }
  const failing = core.newDispatcher({ lanes: addFails, claimAfterMs: 60_000 })
  const n = await core.accept()
  failing.start()
  await until(async () => (await core.job(n))?.status === 'QUEUED')
  await until(() => lines.some((line) => line.includes('cannot dispatch')))
  await failing.stop()
  expect((await consumers()).length).toBe(1)
  expect(await core.redis.xlen(keys.inbox)).toBe(1)
  const other = core.newDispatcher()
  other.start()
  await inboxIsEmpty()
  await other.stop()
  expect(await waiting()).toBe(1)
})
