import { beforeEach, expect, test } from 'vitest'
import { createGates } from '../../src/delivery/gates.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { gatedDeliveries } from '../support/gated-delivery.ts'

const { core } = await coreForFile()
const open = gatedDeliveries(core)
beforeEach(async () => {
  await core.redis.del('{gancho}:gate:default', keys.operations)
})
const gates = createGates(core.redis, core.transitions)
const breakerOf = async () => (await gates.states(['default']))[0]?.breaker
const untilState = (state: string) => until(async () => (await breakerOf())?.state === state, { what: state })
const told = async () =>
  (await core.redis.xrange(keys.operations, '-', '+')).map(([, fields]) => fields[fields.indexOf('kind') + 1])
const breaker = { failureRate: 0.5, attempts: 10, coolDownMs: 400 }

test('a destination that fails is left alone, no job loses an attempt meanwhile, and all of them arrive when it is well', async () => {
  let wellAt = Number.POSITIVE_INFINITY
  let underWay = 0
  let most = 0
  const { receiver, accept, statuses, untilAll } = await open({
    answer: async (response) => {
      underWay += 1
      const isFirstStep = Date.now() >= wellAt && Date.now() < wellAt + 4_500
      if (isFirstStep) most = Math.max(most, underWay)
      setTimeout(() => {
        underWay -= 1
        response.writeHead(Date.now() >= wellAt ? 200 : 503).end()
      }, 20)
    },
    scheduleSeconds: [0.001, 1, 1, 1],
    destination: { maxConcurrency: 10 },
    workers: 2,
    breaker,
  })
  const ns = await accept(60)
  await untilState('OPEN')
  expect(await breakerOf()).toMatchObject({ failureRate: expect.any(Number), openedAt: expect.any(Number) })
  expect(await gates.openBreakers()).toEqual(['default'])
  // Those under way when it opened, and the probes since: of 60 jobs and their retries.
  await until(async () => (await breakerOf())?.state === 'HALF_OPEN' || receiver.received.length > 10)
  expect(receiver.received.length).toBeLessThan(45)
  const later = await accept(1)
  expect((await statuses(ns)).filter((status) => status === 'FAILED')).toEqual([])
  wellAt = Date.now()
  await untilAll([...ns, ...later], 'DELIVERED')
  expect(['CLOSING', 'CLOSED']).toContain((await breakerOf())?.state)
  // Three probes, and two at a time in the five seconds after the first of them.
  expect(most).toBeLessThanOrEqual(6)
  expect(await told()).toEqual(['breaker.opened', 'breaker.closed'])
  expect(await gates.openBreakers()).toEqual([])
  expect(await core.redis.zrange(keys.breakers, '0', '-1')).toEqual([])
})

test('time for which a job is held does not count against the time that it is tried for', async () => {
  const destination = { active: true, retryForSeconds: 30 }
  let status = 503
  const { receiver, accept, untilAll } = await open({
    answer: (response) => void response.writeHead(status).end(),
    scheduleSeconds: [0.1],
    destination,
  })
  const [n = 0] = await accept(1)
  await until(() => receiver.received.length > 0)
  destination.active = false
  await untilAll([n], 'HELD')
  const before = receiver.received.length
  await core.redis.hincrby(keys.job(n), 'heldSince', -3_600_000)
  await core.redis.hincrby(keys.job(n), 'firstAttemptAt', -3_600_000)
  destination.active = true
  await until(() => receiver.received.length > before)
  status = 200
  await untilAll([n], 'DELIVERED')
})

test('time for which a job was held before its first attempt gives it no more time to be tried in', async () => {
  // As long as a busy machine may take for the first attempt alone.
  const destination = { active: false, retryForSeconds: 8 }
  const { receiver, accept, untilAll } = await open({
    answer: (response) => void response.writeHead(503).end(),
    scheduleSeconds: [0.1],
    destination,
  })
  const [n = 0] = await accept(1)
  await untilAll([n], 'HELD')
  await core.redis.hincrby(keys.job(n), 'heldSince', -3_600_000)
  destination.active = true
  await untilAll([n], 'FAILED')
  expect(receiver.received.length).toBeGreaterThan(1)
})

test('a breaker that is reset lets jobs go at once', async () => {
  let status = 500
  const { accept, untilAll } = await open({
    answer: (response) => void response.writeHead(status).end(),
    scheduleSeconds: [0.001, 0.001, 0.001, 60, 60],
    breaker: { ...breaker, coolDownMs: 3_600_000 },
  })
  const ns = await accept(20)
  await untilState('OPEN')
  status = 200
  const later = await accept(1)
  await untilAll(later, 'HELD')
  await core.transitions.resetBreaker('default')
  await untilAll(later, 'DELIVERED')
  expect((await breakerOf())?.state).toBe('CLOSING')
  expect(await told()).toEqual(['breaker.opened', 'breaker.closed'])
  expect(ns.length).toBe(20)
})

test('a job is to blame for answers of the 400s, and these open nothing', async () => {
  const { accept, untilAll } = await open({
    answer: (response) => void response.writeHead(400).end(),
    scheduleSeconds: [],
    breaker,
  })
  await untilAll(await accept(30), 'FAILED')
  expect(await breakerOf()).toMatchObject({ state: 'CLOSED', failureRate: 0 })
})

test('where there are no breakers nothing opens, and nothing is told', async () => {
  const { accept, untilAll } = await open({
    answer: (response) => void response.writeHead(503).end(),
    scheduleSeconds: [],
  })
  const ns = await accept(30)
  await untilAll(ns, 'FAILED')
  expect((await breakerOf())?.state).toBe('CLOSED')
  expect((await told()).filter((kind) => kind?.startsWith('breaker.'))).toEqual([])
})
