import { afterAll, beforeAll, expect, test } from 'vitest'
import { destinationTerms, termsOfGone } from '../../src/delivery/destination-terms.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { keys } from '../../src/redis/keys.ts'
import { graphql } from '../gql/gql.ts'
import { until } from '../support/client.ts'
import { sampleEvent } from '../support/core.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, numericCnpj as cnpj, newTenant } from '../support/tenants.ts'

const Breaker = graphql(`
  query BreakerOf($id: ID!) { destination(id: $id) { breaker { state failureRate openedAt probesAt } } }
`)
const Reset = graphql(`
  mutation ResetBreaker($destination: ID!) { resetBreaker(destination: $destination) { id breaker { state } } }
`)
const Waits = graphql(`
  query WhatJobsWaitFor($id: ID!) { job(id: $id) { status explanation wait { reason until ahead firstId failureRate } } }
`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>
let reader: typeof client
let tenant: typeof client
let other: typeof client
let id: string

beforeAll(async () => {
  services = await openTestServices()
  const yoga = createGraphql({ services, log: console, maxEventBytes: 10_000 })
  client = graphqlClient(yoga, admin)
  reader = graphqlClient(yoga, { kind: 'admin', name: 'reader', access: 'read' })
  tenant = graphqlClient(yoga, await newTenant(services.tenants, cnpj, 'Padaria'))
  other = graphqlClient(yoga, await newTenant(services.tenants, alphanumericCnpj, 'Farmácia'))
  const input = { cnpj, name: 'ERP', url: 'https://example.com/hook' }
  id = (await services.destinations.service.create(input, { mayOpenQueues: true })).destination.id
})
afterAll(() => services.close())

const terms = (more: object = {}) => {
  const settings = services.destinations.directory.get(id)?.settings
  if (!settings) throw new Error('it is there')
  const shutHoursOf = () => ({ from: 9e15, until: 9e15 })
  const breaker = { failureRate: 0.5, attempts: 4, coolDownMs: 3_600_000 }
  return { ...destinationTerms(settings, { breaker, shutHoursOf, places: () => 50, now: Date.now }), ...more }
}
const accept = async () => (await services.intake.accept({ ...sampleEvent, cnpj })).ns[0] ?? 0
const enqueued = async () => {
  const n = await accept()
  await services.transitions.enqueue([n])
  return n
}
const start = (n: number, more = {}) => services.transitions.start(n, 0, 'test', 30_000, terms(more))

/** Takes an attempt of a new job through to that end. */
async function attempted(of: 'ok' | 'fault') {
  const n = await enqueued()
  const started = await start(n)
  if (started.kind !== 'started') throw new Error(started.kind)
  const as =
    of === 'ok' ? ({ status: 'DELIVERED' } as const) : ({ status: 'RETRYING', delayMs: 3_600_000 } as const)
  await services.transitions.finish(n, started.start, { ...as, class: of })
}
const breakerOf = async () => (await client.data(Breaker, { id })).destination?.breaker
const waitsFor = async (n: number) => (await tenant.data(Waits, { id: `ID-${n}` })).job
const workerIsSeen = () => services.redis.zadd(keys.workers, Date.now(), 'test')

test('a breaker shows its state, when it opened and when it is tried again, and its owner closes it', async () => {
  expect(await breakerOf()).toEqual({ state: 'CLOSED', failureRate: null, openedAt: null, probesAt: null })
  await attempted('ok')
  expect(await breakerOf()).toMatchObject({ state: 'CLOSED', failureRate: 0 })
  for (let i = 0; i < 3; i += 1) await attempted('fault')
  const opened = await breakerOf()
  expect(opened).toMatchObject({ state: 'OPEN', failureRate: 0.75 })
  expect(Date.parse(String(opened?.probesAt)) - Date.parse(String(opened?.openedAt))).toBe(3_600_000)

  await workerIsSeen()
  const held = await waitsFor(await enqueued())
  expect(held).toMatchObject({
    status: 'HELD',
    wait: { reason: 'BREAKER', until: opened?.probesAt, ahead: 0, failureRate: 0.75 },
    explanation: `Held back until ${opened?.probesAt}, because destination ${id} failed too much (75 % of its attempts).`,
  })

  for (const [who, code] of [
    [other, 'DESTINATION_NOT_FOUND'],
    [reader, 'FORBIDDEN'],
  ] as const)
    expect(await who.codes(Reset, { destination: id })).toEqual([code])
  expect(await tenant.codes(Reset, { destination: 'default' })).toEqual(['DESTINATION_NOT_FOUND'])
  expect(await client.codes(Reset, { destination: 'dst_none' })).toEqual(['DESTINATION_NOT_FOUND'])
  expect((await breakerOf())?.state).toBe('OPEN')
  expect((await tenant.data(Reset, { destination: id })).resetBreaker).toEqual({
    id,
    breaker: { state: 'CLOSING' },
  })
  // What waited was released with it.
  expect(await services.lanes.get('nifi').queue.getJobCounts('waiting')).toMatchObject({ waiting: 1 })
  expect((await client.data(Reset, { destination: 'default' })).resetBreaker.breaker.state).toBe('CLOSED')
})

test('a job tells that it waits for the hours of its destination, for its turn under the rate, and for others', async () => {
  const opensAt = Date.now() + 3_600_000
  await services.transitions.release(new Map([[id, terms({ shutFrom: 0, shutUntil: opensAt })]]))
  const n = await enqueued()
  expect((await waitsFor(n))?.wait).toMatchObject({
    ...{ reason: 'DELIVERY_WINDOW', until: new Date(opensAt).toISOString(), ahead: 0 },
  })
  await services.transitions.release(new Map([[id, terms({ active: 0 })]]))
  expect((await waitsFor(n))?.wait).toMatchObject({ reason: 'OUT_OF_SERVICE', until: null })

  // A turn every two seconds, as far ahead as turns are given.
  const rate = { rate: 0.5, breakAfter: 0 }
  await services.transitions.release(new Map([[id, terms(rate)]]))
  expect(await start(n, rate)).toMatchObject({ kind: 'started' })
  // Whoever was held up for those two seconds has its turn already.
  const second = await until(async () => {
    const next = await enqueued()
    const asked = await start(next, rate)
    return asked.kind === 'wait' && { n: next, until: asked.until }
  })
  expect((await waitsFor(second.n))?.wait).toMatchObject({
    ...{ reason: 'RATE', until: new Date(second.until).toISOString() },
  })

  await services.transitions.release(new Map([[id, terms({ concurrency: 1, breakAfter: 0 })]]))
  const third = await enqueued()
  const fourth = await enqueued()
  const [before, after] = [(await waitsFor(third))?.wait, (await waitsFor(fourth))?.wait]
  expect([before, after]).toMatchObject([{ reason: 'CONCURRENCY' }, { reason: 'CONCURRENCY' }])
  expect(after?.ahead).toBe(Number(before?.ahead) + 1)
})

test('after a breaker closes, jobs that are tried again go few at a time as well', async () => {
  const failed: number[] = []
  for (let i = 0; i < 5; i += 1) failed.push(await enqueued())
  for (const n of failed) await start(n, { breakAfter: 0 })
  for (const n of failed)
    await services.transitions.finish(n, 1, { status: 'RETRYING', delayMs: 0, class: 'fault' })
  // What other tests have under way.
  await services.redis.del(`${keys.prefix}active:${id}`)
  await services.redis.hset(`${keys.prefix}gate:${id}`, { breaker: 'closing', closedAt: Date.now() })
  const answers = await Promise.all(failed.map((n) => start(n, { concurrency: 10 })))
  expect(answers.filter(({ kind }) => kind === 'started')).toHaveLength(2)
  expect(answers.filter(({ kind }) => kind !== 'started')).toMatchObject(
    Array(3).fill({ kind: 'back', why: 'BREAKER' }),
  )
})

test('nothing is kept among the open breakers of a destination that is no more', async () => {
  const gone = 'dst_gone'
  await services.redis.zadd(keys.breakers, Date.now(), gone)
  await services.transitions.release(new Map([[gone, termsOfGone]]))
  expect(await services.redis.zscore(keys.breakers, gone)).toBeNull()
})

test('a job tells that its queue is paused, and that no worker runs', async () => {
  const n = await enqueued()
  await services.queuePauses.pause('nifi', { at: Date.now(), by: 'test' })
  expect((await waitsFor(n))?.wait?.reason).toBe('QUEUE_PAUSED')
  await services.redis.del(keys.workers)
  expect(await waitsFor(n)).toMatchObject({
    ...{ wait: { reason: 'NO_WORKER' }, explanation: 'Waiting in queue nifi: no worker is running.' },
  })
  await services.queuePauses.resume('nifi')
})
