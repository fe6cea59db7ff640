import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLanes, isQueueName } from '../../src/events/lanes.ts'
import type { Route } from '../../src/events/routing.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { startDelivery } from '../support/delivery.ts'
import { startReceiver } from '../support/receiver.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let core: Core
let routes: Route[]
let lines: string[]
const opened: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  lines = []
  routes = [{ destination: 'default', queue: 'nifi' }]
  server = await startTestRedis()
  const log = pino({ level: 'error' }, { write: (line) => lines.push(line) })
  core = await openCore(server.url, { route: () => routes, log })
})
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
  await core.close()
  await server.stop()
})

const to = (...queues: string[]) => {
  routes = queues.map((queue) => ({ destination: 'default', queue }))
}
const startDispatcher = () => {
  const dispatcher = core.newDispatcher()
  dispatcher.start()
  opened.push(dispatcher.stop)
}
const waiting = (queue: string) => core.lanes.get(queue).queue.getWaitingCount()

test.each([
  ['nifi', true],
  ['a-1', true],
  ['0'.repeat(40), true],
  ['0'.repeat(41), false],
  ['', false],
  ['a.errors', false],
  ['A', false],
  ['a b', false],
  ['maintenance', false],
])('%j as a queue name: %s', (name, fits) => {
  expect(isQueueName(name)).toBe(fits)
})

test('a dispatcher opens the queue that a job names, and remembers it before the job is in it', async () => {
  to('fresh')
  startDispatcher()
  await core.accept()
  await until(() => core.redis.sismember(keys.queues, 'fresh'), { what: 'the name is remembered' })
  await until(async () => (await waiting('fresh')) === 1, { what: 'the job is in its queue' })
})

test('an entry whose queue nobody can open holds up none behind it, and stays in the inbox', async () => {
  to('not.possible')
  const stuck = await core.accept()
  to('nifi')
  const ns = await Promise.all(Array.from({ length: 10 }, () => core.accept()))
  startDispatcher()
  await until(async () => (await waiting('nifi')) === ns.length, { what: 'the others are dispatched' })
  await until(async () => (await core.redis.xlen(keys.inbox)) === 1, { what: 'the others left the inbox' })
  expect((await core.redis.xrange(keys.inbox, '-', '+')).map(([id]) => id)).toEqual([`${stuck}-0`])
  await until(() => lines.some((line) => line.includes('no queue can have this name')), {
    what: 'a line of the log',
  })
  to('nifi')
  await core.accept()
  await until(async () => (await waiting('nifi')) === ns.length + 1, { what: 'it goes on' })
})

test('a sweep mends the jobs around one whose queue nobody can open', async () => {
  to('not.possible', 'nifi')
  const n = await core.accept()
  await core.transitions.enqueue([n, n + 1])
  await core.redis.zadd(keys.due, 1, n, 1, n + 1)
  await core.newSweeper().sweep()
  expect(await waiting('nifi')).toBe(1)
})

test('a worker that runs already takes the jobs of a queue that another process has opened', async () => {
  const receiver = await startReceiver((response) => response.end())
  const delivery = startDelivery(core, { url: receiver.url })
  opened.push(delivery.stop, receiver.close)
  const elsewhere = createLanes(core.redis, [])
  opened.push(elsewhere.close)
  to('opened-elsewhere')
  const n = await core.accept()
  await core.transitions.enqueue([n])
  await elsewhere.add([{ n, round: 0, queue: 'opened-elsewhere' }])
  expect(receiver.received).toHaveLength(0)
  await core.lanes.exchangeNames()
  await until(() => receiver.received.length === 1, { what: 'the delivery' })
})

test('a Redis that lost its names is told them again', async () => {
  core.lanes.open('kept')
  await core.lanes.exchangeNames()
  await core.redis.del(keys.queues)
  await core.lanes.exchangeNames()
  expect((await core.redis.smembers(keys.queues)).sort()).toEqual(['kept', 'nifi'])
})
