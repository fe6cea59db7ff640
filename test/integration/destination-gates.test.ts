import { beforeEach, expect, test } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { createGates } from '../../src/delivery/gates.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { gatedDeliveries } from '../support/gated-delivery.ts'

const { core } = await coreForFile()
const open = gatedDeliveries(core)
beforeEach(async () => {
  await core.redis.del('{gancho}:gate:default')
})
const fine = { answer: (response: { end(): unknown }) => void response.end() }
const gates = createGates(core.redis, core.transitions)
const shutOf = async () => (await gates.states(['default']))[0]?.shut
const changesOf = async (n: number) => (await core.journal(n)).map(({ status }) => status)

test('jobs of a destination that is out of service are held, nobody looks at them, and they go on when it is back', async () => {
  const destination: Partial<Destination> = { active: false, maxConcurrency: 3 }
  const { receiver, accept, untilAll } = await open({ ...fine, destination, workers: 2 })
  const ns = await accept(8)
  await untilAll(ns, 'HELD')
  expect(await shutOf()).toMatchObject({ why: 'OUT_OF_SERVICE' })
  // Those that came before it was known, and those that came after.
  const later = await accept(2)
  await untilAll(later, 'HELD')
  for (const n of later) expect(await changesOf(n)).toEqual(['RECEIVED', 'HELD'])
  for (const n of ns) expect(await changesOf(n)).toEqual(expect.arrayContaining(['RECEIVED', 'HELD']))
  expect(receiver.received).toHaveLength(0)
  destination.active = true
  await untilAll([...ns, ...later], 'DELIVERED')
  for (const n of later) expect(await changesOf(n)).toEqual(['RECEIVED', 'HELD', 'DELIVERING', 'DELIVERED'])
  expect(new Set(receiver.received.map(({ headers }) => headers['x-gancho-attempt']))).toEqual(new Set(['1']))
})

test('outside its hours a destination gets nothing, and what waits goes as soon as they begin', async () => {
  let opensAt = Date.now() + 3_600_000
  const arrivals: number[] = []
  const { accept, statuses, untilAll } = await open({
    answer: (response) => {
      arrivals.push(Date.now())
      response.end()
    },
    shutHoursOf: () => ({ from: 0, until: opensAt }),
    workers: 2,
  })
  const ns = await accept(12)
  // Those beyond what a destination is given at a time have not come to where they would be held.
  await until(async () => (await statuses(ns)).filter((status) => status === 'HELD').length >= 10)
  expect(await shutOf()).toEqual({ why: 'DELIVERY_WINDOW', until: opensAt })
  opensAt = Date.now() + 1_000
  await untilAll(ns, 'DELIVERED')
  expect(Math.min(...arrivals)).toBeGreaterThanOrEqual(opensAt)
})

test('an opening that is over is known to the moment, by jobs that were released before it and by those that come back', async () => {
  let from = Date.now() + 3_600_000
  const { receiver, accept, untilAll } = await open({
    answer: (response) => void response.writeHead(receiver.received.length > 1 ? 200 : 503).end(),
    scheduleSeconds: [0, 0, 0],
    shutHoursOf: () => ({ from, until: from + 3_600_000 }),
  })
  const [n = 0] = await accept(1)
  await untilAll([n], 'DELIVERED')
  from = Date.now() - 1
  const ns = await accept(3)
  await untilAll(ns, 'HELD')
  expect(receiver.received).toHaveLength(2)
})

test('a rate holds over all workers together, retries included, and follows a change at once', async () => {
  const destination: Partial<Destination> = { ratePerSecond: 20 }
  let failures = 10
  const { accept, untilAll } = await open({
    answer: (response) => {
      failures -= 1
      response.writeHead(failures >= 0 ? 503 : 200).end()
    },
    scheduleSeconds: [0, 0, 0, 0, 0],
    destination,
    workers: 2,
  })
  const ns = await accept(60)
  await untilAll(ns, 'DELIVERED')
  const changes = (await Promise.all(ns.map((n) => core.journal(n)))).flat()
  const begun = changes.flatMap(({ status, at }) => (status === 'DELIVERING' ? [at] : []))
  // By the clock that turns are given by: a busy machine may have the first arrive as late as the others.
  expect(Math.max(...begun) - Math.min(...begun)).toBeGreaterThan(2_500)
  destination.ratePerSecond = 1
  // At that rate these would take longer than anybody waits here.
  const slow = await accept(40)
  await until(async () => (await gates.states(['default']))[0]?.nextTurnAt)
  destination.ratePerSecond = 1_000
  await untilAll(slow, 'DELIVERED')
})

test('a job that is held for longer than it may be is given up at its deadline, and nothing is sent', async () => {
  const destination: Partial<Destination> = { active: false, jobDeadlineSeconds: 8 }
  const { receiver, accept, statuses, untilAll } = await open({ ...fine, destination })
  const ns = await accept(3)
  await untilAll(ns, 'HELD')
  // In twenty times as long where there is no deadline.
  expect(Number(await core.redis.zscore(keys.due, String(ns[0])))).toBeLessThan(Date.now() + 38_000)
  const sweeper = core.newSweeper()
  const isGivenUp = async () => {
    await core.redis.zadd(keys.due, 'XX', ...ns.flatMap((n) => [0, n]))
    await sweeper.sweep()
    return (await statuses(ns)).every((status) => status === 'FAILED')
  }
  await until(isGivenUp, { what: 'all are given up' })
  expect((await core.records.jobs(ns)).map(({ failure }) => failure?.reason)).toEqual(
    Array(3).fill('DEADLINE'),
  )
  expect(receiver.received).toHaveLength(0)
})
