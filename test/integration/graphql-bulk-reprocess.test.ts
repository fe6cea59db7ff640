import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { graphql } from '../gql/gql.ts'
import { bulkWorld } from '../support/bulks.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Preview = graphql(`
  mutation PreviewReprocess($filter: JobFilter!) {
    previewReprocess(filter: $filter) { count hasMore oldestAt token expiresAt sample { id status } }
  }
`)
const Commit = graphql(`
  mutation CommitReprocess($token: String!, $rate: Int, $reason: String) {
    commitReprocess(token: $token, ratePerSecond: $rate, reason: $reason) {
      id action status total done ratePerSecond reason createdBy finishedAt
    }
  }
`)
const Cancel = graphql(`mutation CancelReprocess($id: ID!) { cancelReprocess(id: $id) { status } }`)
const Find = graphql(`
  query FindBulk($id: ID!) { bulkReprocess(id: $id) { status done skipped { reason count } finishedAt } }
`)
const Running = graphql(`query RunningBulks { bulkReprocesses { id } }`)

let services: TestServices
let world: ReturnType<typeof bulkWorld>
const clients: Record<'admin' | 'one' | 'two', ReturnType<typeof graphqlClient>> = {} as never
let ids: string[]

beforeAll(async () => {
  services = await openTestServices()
  world = bulkWorld(services)
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  const one = await newTenant(services.tenants, numericCnpj, 'One')
  const two = await newTenant(services.tenants, alphanumericCnpj, 'Two')
  const as = (principal: Principal) => graphqlClient(endpoint, principal)
  Object.assign(clients, { admin: as(admin), one: as(one), two: as(two) })
  const steps = jobSteps(services)
  ids = []
  for (const cnpj of [numericCnpj, numericCnpj, alphanumericCnpj]) {
    const event = { cnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
    const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
    await steps.fail(ns[0] ?? 0)
    ids.push(`ID-${ns[0]}`)
  }
  await services.historyCaughtUp()
})
afterAll(async () => {
  await world.stop()
  await services.close()
})

const previewed = async (client: ReturnType<typeof graphqlClient>, filter = {}) =>
  (await client.data(Preview, { filter })).previewReprocess

test('a tenant sees and takes its own jobs only, whatever it asks for', async () => {
  expect(await previewed(clients.one)).toMatchObject({
    ...{ count: 2, hasMore: false },
    sample: [
      { id: ids[0], status: 'FAILED' },
      { id: ids[1], status: 'FAILED' },
    ],
  })
  expect((await previewed(clients.one, { ids })).count).toBe(2)
  expect((await previewed(clients.one, { cnpj: alphanumericCnpj })).count).toBe(0)
  expect((await previewed(clients.admin)).count).toBe(3)
  const { token } = await previewed(clients.admin)
  expect(await clients.one.codes(Commit, { token })).toEqual(['INVALID_PREVIEW'])
  expect(await clients.two.codes(Commit, { token: (await previewed(clients.one)).token })).toEqual([
    'INVALID_PREVIEW',
  ])
})

test('rates and reasons beyond the bounds are refused, and other statuses', async () => {
  const { token } = await previewed(clients.one)
  const wrong: { rate?: number; reason?: string }[] = [
    { rate: 0 },
    { rate: 1_001 },
    { reason: 'x'.repeat(1_001) },
  ]
  for (const one of wrong) expect(await clients.one.codes(Commit, { token, ...one })).toEqual(['BAD_REQUEST'])
  expect(await clients.one.codes(Preview, { filter: { statuses: ['DISCARDED'] } })).toEqual(['BAD_REQUEST'])
})

test('a tenant has one bulk at a time, which it alone and administrators see, cancel and watch', async () => {
  const { token } = await previewed(clients.one)
  const { commitReprocess: bulk } = await clients.one.data(Commit, {
    token,
    rate: 100,
    reason: 'ERP was down',
  })
  expect(bulk).toMatchObject({
    ...{ action: 'REPROCESS', status: 'RUNNING', total: 2, done: 0, ratePerSecond: 100 },
    ...{ reason: 'ERP was down', createdBy: numericCnpj, finishedAt: null },
  })
  const second = (await previewed(clients.one)).token
  expect(await clients.one.codes(Commit, { token: second })).toEqual(['TOO_MANY_BULKS'])
  const { id } = bulk
  expect((await clients.two.data(Find, { id })).bulkReprocess).toBeNull()
  expect(await clients.two.codes(Cancel, { id })).toEqual(['BULK_NOT_FOUND'])
  expect((await clients.admin.data(Find, { id })).bulkReprocess).toMatchObject({ status: 'RUNNING' })
  expect((await clients.one.data(Running)).bulkReprocesses).toEqual([{ id }])
  expect((await clients.admin.data(Running)).bulkReprocesses).toEqual([{ id }])
  expect((await clients.two.data(Running)).bulkReprocesses).toEqual([])
  world.startRunner()
  await world.over(id)
  expect((await clients.one.data(Running)).bulkReprocesses).toEqual([])
  expect((await clients.one.data(Find, { id })).bulkReprocess).toEqual({
    ...{ status: 'COMPLETED', done: 2, skipped: [], finishedAt: expect.any(String) },
  })
  expect((await services.jobs.jobs([1, 2, 3])).map(({ n, round }) => [n, round]).sort()).toEqual([
    [1, 1],
    [2, 1],
    [3, 0],
  ])
  expect((await clients.one.data(Cancel, { id })).cancelReprocess.status).toBe('COMPLETED')
})

test('an administrator who may only read previews nothing', async () => {
  const reader: Principal = { kind: 'admin', name: 'board', access: 'read' }
  const client = graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), reader)
  expect(await client.codes(Preview, { filter: {} })).toEqual(['FORBIDDEN'])
})
