import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NewDestination } from '../../src/delivery/destination-service.ts'
import { disablingTold, operationTelling } from '../../src/delivery/operations.ts'
import { createIntake } from '../../src/events/intake.ts'
import type { OperationKind } from '../../src/events/operational-events.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { sampleEvent } from '../support/core.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, numericCnpj as cnpj, newTenant } from '../support/tenants.ts'

let services: TestServices
let steps: ReturnType<typeof jobSteps>
const ids: Record<string, string> = {}

beforeAll(async () => {
  services = await openTestServices()
  steps = jobSteps(services)
  await newTenant(services.tenants, cnpj, 'Padaria')
  await newTenant(services.tenants, alphanumericCnpj, 'Farmácia')
  const make = async (name: string, eventTypes: string[], more: Partial<NewDestination> = {}) => {
    const input = { cnpj, name, url: 'https://example.com/hook', eventTypes, ...more }
    const { destination } = await services.destinations.service.create(input, { mayOpenQueues: true })
    ids[name] = destination.id
  }
  await make('catch-all', [])
  await make('orders', ['order.*'])
  await make('operations', ['gancho.*'])
  await make('failures', ['gancho.job.failed'])
  await make('others', ['order.*'], { cnpj: alphanumericCnpj })
})
afterAll(() => services.close())

type Parts = Parameters<typeof operationTelling>[0]
const lines: Record<string, unknown>[] = []
const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) })

function telling(more: Partial<Parts> = {}) {
  const { redis, intake, destinations, stores } = services
  return operationTelling({
    ...{ redis, intake, route: destinations.route, directory: destinations.directory, log },
    ...{
      store: stores.destinations,
      lease: { hold: async () => true },
      report: () => undefined,
      now: Date.now,
    },
    ...more,
  })
}

/** Jobs that are made while `work` runs, as the name of their destination and their type. */
async function jobsMadeBy(work: () => Promise<unknown>) {
  const lastOf = async () => Number((await services.redis.get(keys.seq)) ?? 0)
  const before = await lastOf()
  await work()
  const ns = Array.from({ length: (await lastOf()) - before }, (_, i) => before + i + 1)
  const nameOf = new Map(Object.entries(ids).map(([name, id]) => [id, name]))
  const jobs = await services.records.jobs(ns)
  return jobs.map(({ n, destination, eventType }) => ({ n, to: nameOf.get(destination), eventType }))
}

const accept = async (event: Partial<typeof sampleEvent> = {}) =>
  (await services.intake.accept({ ...sampleEvent, cnpj, ...event })).ns
const failOne = async () => {
  const [n = 0] = await accept()
  await steps.fail(n)
  return n
}
const put = (kind: OperationKind, fields: Record<string, string>) =>
  services.redis.xadd(
    keys.operations,
    '*',
    'kind',
    kind,
    'at',
    '1780000000000',
    ...Object.entries(fields).flat(),
  )
const untold = () => services.redis.xlen(keys.operations)

test('a job that failed for good is told to the destinations that name that, to nobody else, and once', async () => {
  const n = await failOne()
  const made = await jobsMadeBy(telling())
  expect(made.map(({ to, eventType }) => [to, eventType])).toEqual([
    ['operations', 'gancho.job.failed'],
    ['failures', 'gancho.job.failed'],
  ])
  const body = JSON.parse(String(await services.records.body(made[0]?.n ?? 0)))
  expect(body).toMatchObject({
    type: 'gancho.job.failed',
    data: { jobId: `ID-${n}`, destinationId: ids['catch-all'], eventType: 'order.paid', reason: 'EXHAUSTED' },
  })
  expect(Date.parse(body.timestamp)).toBeGreaterThan(Date.now() - 60_000)
  expect(lines.at(-1)).toMatchObject({ operation: 'job.failed', cnpj, jobId: `ID-${n}`, msg: 'job.failed' })
  expect(await jobsMadeBy(telling())).toEqual([])
})

/** As whoever crashes between making the event and noting that. */
const crashing = () =>
  new Proxy(services.redis, {
    get: (target, name) =>
      name === 'xdel' ? () => Promise.reject(new Error('crash')) : Reflect.get(target, name).bind(target),
  })

test('whoever crashes after telling tells it again, and no second event comes of it', async () => {
  await failOne()
  const made = await jobsMadeBy(async () => {
    await expect(telling({ redis: crashing() })()).rejects.toThrow('crash')
    expect(await untold()).toBe(1)
    await telling()()
  })
  expect(made).toHaveLength(2)
  expect(await untold()).toBe(0)
})

test('whoever crashes after telling holds nobody up, also when the destination had another name by then', async () => {
  await failOne()
  const made = await jobsMadeBy(async () => {
    await expect(telling({ redis: crashing() })()).rejects.toThrow('crash')
    const { service } = services.destinations
    await service.update(ids['catch-all'] ?? '', { name: 'renamed' }, { mayOpenQueues: true })
    await telling()()
  })
  expect(made).toHaveLength(2)
  expect(await untold()).toBe(0)
})

test('what cannot be told yet is in the log at once, holds up nothing that can, and is told as soon as it can be', async () => {
  const { redis } = services
  // More than are looked at in one turn.
  for (let i = 0; i < 101; i += 1)
    await put('breaker.opened', {
      destination: ids.orders ?? '',
      failureRate: '1',
      openedAt: '1',
      probesAt: '1',
    })
  await put('breaker.opened', { destination: 'default', failureRate: '1', openedAt: '1', probesAt: '1' })
  const full = createIntake({
    ...{ redis, route: services.destinations.route, memoryIsShort: () => true },
    ...{ dataSet: services.dataSet, maxBacklog: 1, idempotencyTtlSeconds: 60 },
  })
  lines.length = 0
  const turn = telling({ intake: full })
  const turns = async () => {
    await expect(turn()).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
    return lines.filter(({ destinationId }) => destinationId === 'default').length === 1
  }
  await until(turns)
  await until(turns)
  expect(lines).toHaveLength(102)
  expect(await untold()).toBe(101)
  const made = await jobsMadeBy(async () => {
    const well = telling()
    while (await well()) await untold()
  })
  expect(made).toHaveLength(101)
  expect(await untold()).toBe(0)
})

test('what becomes of an event of Gancho makes no further one', async () => {
  await failOne()
  const told = await jobsMadeBy(telling())
  for (const { n } of told) await steps.fail(n)
  expect(await untold()).toBe(0)
})

test('a breaker is told to the tenant whose destination it is; of the environment’s the log alone tells', async () => {
  const facts = {
    failureRate: '0.7500',
    openedAt: '1780000000000',
    probesAt: '1780000030000',
    cause: 'faults',
  }
  await put('breaker.opened', { destination: ids.orders ?? '', ...facts })
  await put('breaker.closed', { destination: ids.orders ?? '', ...facts, cause: 'probe' })
  await put('breaker.opened', { destination: 'default', ...facts })
  const made = await jobsMadeBy(telling())
  expect(made.map(({ to, eventType }) => [to, eventType])).toEqual([
    ['operations', 'gancho.breaker.opened'],
    ['operations', 'gancho.breaker.closed'],
  ])
  expect(JSON.parse(String(await services.records.body(made[0]?.n ?? 0)))).toEqual({
    ...{ type: 'gancho.breaker.opened', timestamp: '2026-05-28T20:26:40.000Z' },
    data: {
      ...{ destinationId: ids.orders, destinationName: 'orders', failureRate: 0.75 },
      probesAt: '2026-05-28T20:27:10.000Z',
    },
  })
  expect(
    lines.slice(-3).map(({ operation, cnpj: of, destinationId }) => [operation, of, destinationId]),
  ).toEqual([
    ['breaker.opened', cnpj, ids.orders],
    ['breaker.closed', cnpj, ids.orders],
    ['breaker.opened', null, 'default'],
  ])
})

test('a destination that answers 410 is told of once it is out of service, and not when that never came about', async () => {
  const { service, directory } = services.destinations
  const others = directory.get(ids.others ?? '')?.settings
  await disablingTold(services.redis, Date.now)(
    { id: ids.orders ?? '', version: 99 },
    'crashed before it was',
  )
  expect(await jobsMadeBy(telling())).toEqual([])
  expect(await untold()).toBe(1)
  expect(await jobsMadeBy(telling({ now: () => Date.now() + 61_000 }))).toEqual([])
  expect(await untold()).toBe(0)

  await service.disable({ id: ids.orders ?? '', version: 1 }, 'it answered 410 Gone')
  await service.disable({ id: ids.others ?? '', version: others?.version ?? 0 }, 'it answered 410 Gone')
  const made = await jobsMadeBy(telling())
  expect(made.map(({ to, eventType }) => [to, eventType])).toEqual([
    ['operations', 'gancho.destination.disabled'],
  ])
  expect(lines.slice(-2)).toMatchObject([
    { operation: 'destination.disabled', destinationId: ids.orders, reason: 'it answered 410 Gone' },
    { operation: 'destination.disabled', destinationId: ids.others, cnpj: alphanumericCnpj },
  ])
})

test('nobody else posts events of Gancho’s types', async () => {
  await expect(accept({ eventType: 'gancho.job.failed' })).rejects.toMatchObject({
    code: 'RESERVED_EVENT_TYPE',
  })
  await expect(accept({ eventType: 'ganchos' })).resolves.toHaveLength(1)
})

const textOf = (name: string) =>
  readFileSync(new URL(`../../src/redis/scripts/${name}.lua`, import.meta.url), 'utf8')
/** Jobs of one tenant fail for good at the given times, by a clock of the test's. */
const failing = `${['job', 'breaker', 'breaker-outcomes', 'gate', 'gate-outcomes'].map(textOf).join('\n')}
for a = 3, #ARGV do
  tellOfFailure(a, { cnpj = 'c', destination = 'd', event = 'e', type = '', queue = 'q' }, '{}', tonumber(ARGV[a]))
end`

test('of a flood of failed jobs each minute’s first sixty are told, and how many the minute before left out', async () => {
  const { redis } = services
  const minute = Math.floor(Date.now() / 60_000) * 60_000
  const times = [...Array(75).fill(minute), ...Array(2).fill(minute + 60_000), minute + 120_000]
  await redis.eval(failing, 0, '{gancho}:test:job:', '{gancho}:test:', ...times)
  const told = (await redis.xrange('{gancho}:test:operations', '-', '+')).map(([, fields]) => fields)
  expect(told).toHaveLength(63)
  const leftOut = told.map((fields) => fields[fields.indexOf('leftOut') + 1])
  expect(leftOut).toEqual([...Array(60).fill('0'), '15', '0', '0'])
})
