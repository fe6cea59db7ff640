import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import type { JobFilter } from '../gql/graphql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Stats = graphql(`
  query JobStatistics($from: DateTime!, $to: DateTime!, $bucketSeconds: Int!, $filter: JobFilter) {
    stats(from: $from, to: $to, bucketSeconds: $bucketSeconds, filter: $filter) {
      received delivered failed retried requeued discarded latency { count p50 p99 }
    }
  }
`)

const hourMs = 3_600_000
let services: TestServices
let clients: Record<'admin' | 'one', ReturnType<typeof graphqlClient>>
/** Wide enough, wherever in an hour the tests run. */
const range = {
  from: new Date(Date.now() - hourMs).toISOString(),
  to: new Date(Date.now() + hourMs).toISOString(),
  bucketSeconds: 3 * 3_600,
}

beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  const one = await newTenant(services.tenants, numericCnpj, 'One')
  await newTenant(services.tenants, alphanumericCnpj, 'Two')
  clients = { admin: graphqlClient(endpoint, admin), one: graphqlClient(endpoint, one) }
  const steps = jobSteps(services)
  const accept = async (cnpj: string) => {
    const event = { cnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
    const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
    return ns[0] ?? 0
  }
  await steps.deliver(await accept(numericCnpj))
  await steps.deliver(await accept(numericCnpj))
  await steps.retryLater(await accept(numericCnpj), 60_000)
  const failed = await accept(numericCnpj)
  await steps.fail(failed)
  await services.reprocess.reprocess({ n: failed })
  await steps.deliver(failed)
  await services.reprocess.discard(await accept(alphanumericCnpj))
  await services.historyCaughtUp()
})
afterAll(() => services.close())

const ofOne = { received: 4, delivered: 3, failed: 1, retried: 1, requeued: 1, discarded: 0 }

test('every change is counted once, and the latency of what nobody had to queue again', async () => {
  const { stats } = await clients.admin.data(Stats, range)
  expect(stats).toEqual([
    {
      ...ofOne,
      received: 5,
      discarded: 1,
      latency: { count: 2, p50: expect.any(Number), p99: expect.any(Number) },
    },
  ])
  expect(stats[0]?.latency?.p99).toBeGreaterThanOrEqual(stats[0]?.latency?.p50 ?? 0)
})

test('a tenant is told of its own jobs, whatever it asks for', async () => {
  const own = [{ ...ofOne, latency: expect.objectContaining({ count: 2 }) }]
  expect((await clients.one.data(Stats, range)).stats).toEqual(own)
  expect((await clients.one.data(Stats, { ...range, filter: { cnpj: numericCnpj } })).stats).toEqual(own)
  const others = { ...range, filter: { cnpj: alphanumericCnpj } }
  expect((await clients.one.data(Stats, others)).stats).toEqual([
    { ...{ received: 0, delivered: 0, failed: 0, retried: 0, requeued: 0, discarded: 0 }, latency: null },
  ])
  expect((await clients.admin.data(Stats, others)).stats[0]).toMatchObject({ received: 1, discarded: 1 })
})

test('queues and destinations can be asked for, and nothing else', async () => {
  const received = async (filter: object) =>
    (await clients.admin.data(Stats, { ...range, filter })).stats[0]?.received
  expect(await received({ queue: 'nifi', destination: 'default' })).toBe(5)
  expect(await received({ queue: 'slow' })).toBe(0)
  expect(await received({ destination: 'dst_1' })).toBe(0)
  const refused: JobFilter[] = [{ ids: ['ID-1'] }, { statuses: ['FAILED'] }, { text: 'x' }]
  for (const filter of refused)
    expect(await clients.admin.codes(Stats, { ...range, filter })).toEqual(['BAD_REQUEST'])
  expect(await clients.admin.codes(Stats, { ...range, bucketSeconds: 30 })).toEqual(['BAD_REQUEST'])
})
