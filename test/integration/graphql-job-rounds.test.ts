import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { failedJobsRoute } from '../../src/rest/failed-jobs.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { graphql } from '../gql/gql.ts'
import { eventually } from '../support/eventually.ts'
import { type GraphqlEndpoint, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { newTenant, numericCnpj } from '../support/tenants.ts'

const Rounds = graphql(`
  query Rounds($id: ID!) {
    job(id: $id) { rounds { number startedAt trigger requestedBy reason bulkId outcome } }
  }
`)
const ReprocessWhy = graphql(
  `mutation ReprocessWhy($id: ID!, $reason: String) { reprocessJob(id: $id, reason: $reason) { rounds { number } } }`,
)

const ops: Principal = { kind: 'admin', name: 'ops', access: 'full' }
const nifi: Principal = { kind: 'admin', name: 'nifi', access: 'full' }

let services: TestServices
let endpoint: GraphqlEndpoint
let client: ReturnType<typeof graphqlClient>
let steps: ReturnType<typeof jobSteps>
let asTenant: Extract<Principal, { kind: 'tenant' }>

beforeAll(async () => {
  services = await openTestServices()
  endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  client = graphqlClient(endpoint, ops)
  steps = jobSteps(services)
  await newTenant(services.tenants, numericCnpj, 'Padaria')
  const tenant = await services.directory.find(numericCnpj)
  if (!tenant) throw new Error('no tenant')
  asTenant = { kind: 'tenant', tenant }
})
afterAll(() => services.close())

const newJob = async (): Promise<{ n: number; id: string }> => {
  const event = { cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} }
  const { ns } = await services.intake.accept({ ...event, body: Buffer.from('x'), idempotencyKey: null })
  return { n: ns[0] ?? 0, id: `ID-${ns[0]}` }
}
const roundsOf = async (id: string, principal?: Principal) => {
  const asked = principal ? graphqlClient(endpoint, principal) : client
  return (await asked.data(Rounds, { id })).job?.rounds ?? []
}
const report = (principal: Principal, body: unknown) =>
  failedJobsRoute(services).handle({
    ...{ method: 'POST', params: { queue: 'nifi' }, query: new URLSearchParams(), headers: {}, principal },
    ...{ body: Buffer.from(JSON.stringify(body)), requestId: '1', signal: new AbortController().signal },
  })
const first = { number: 0, trigger: 'INITIAL', requestedBy: null, reason: null, bulkId: null }

test('a job that was never queued again has one round', async () => {
  const { n, id } = await newJob()
  expect(await roundsOf(id)).toMatchObject([{ ...first, outcome: 'OPEN' }])
  await steps.deliver(n)
  expect(await roundsOf(id)).toMatchObject([{ ...first, outcome: 'DELIVERED' }])
})

test('each round tells who asked for it, why and what came of it, wherever the job is kept', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  await client.data(ReprocessWhy, { id, reason: 'the ERP is back\nsince noon' })
  await steps.deliver(n)
  await report(asTenant, { id, error: 'coluna ausente', round: 1 })
  await steps.fail(n)
  const by = { kind: 'admin', name: 'night' } as const
  const audit = { trigger: 'BULK', by, reason: null, bulk: 'bulk_7' } as const
  await services.reprocess.reprocess({ n, round: 2, audit })
  const expected = [
    { ...first, outcome: 'FAILED' },
    {
      ...{ number: 1, trigger: 'MANUAL', requestedBy: 'admin:ops', reason: 'the ERP is back\nsince noon' },
      outcome: 'DELIVERED',
    },
    {
      ...{ number: 2, trigger: 'REPORTED', requestedBy: `tenant:${numericCnpj}`, reason: 'coluna ausente' },
      outcome: 'FAILED',
    },
    { number: 3, trigger: 'BULK', requestedBy: 'admin:night', bulkId: 'bulk_7', outcome: 'OPEN' },
  ]
  expect(await roundsOf(id)).toMatchObject(expected)
  const times = (await roundsOf(id)).map(({ startedAt }) => new Date(startedAt as string).getTime())
  expect(times.toSorted((a, b) => a - b)).toEqual(times)

  await steps.deliver(n)
  await services.historyCaughtUp()
  await eventually(async () => expect(await services.records.jobs([n])).toEqual([]))
  expected.splice(3, 1, { ...expected[3], outcome: 'DELIVERED' } as (typeof expected)[3])
  expect(await roundsOf(id)).toMatchObject(expected)

  // Its record is brought back without the rounds that history has.
  await services.reprocess.reprocess({ n, round: 3 })
  expect(await roundsOf(id)).toMatchObject([...expected, { number: 4, trigger: null, outcome: 'OPEN' }])
})

test('a report that comes before the outcome of its attempt is remembered with who sent it', async () => {
  const { n, id } = await newJob()
  const attempt = await steps.begin(n)
  await report(nifi, { id, error: 'no schema' })
  expect(await roundsOf(id)).toMatchObject([{ ...first, outcome: 'OPEN' }])
  await services.transitions.finish(n, attempt, { status: 'DELIVERED' })
  expect(await roundsOf(id)).toMatchObject([
    { ...first, outcome: 'DELIVERED' },
    { number: 1, trigger: 'REPORTED', requestedBy: 'admin:nifi', reason: 'no schema', outcome: 'OPEN' },
  ])
})

test('a tenant learns that an administrator did it, and not which', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  await client.data(ReprocessWhy, { id })
  expect((await roundsOf(id, asTenant))[1]?.requestedBy).toBe('admin')
})

test('a reason has a bound', async () => {
  const { n, id } = await newJob()
  await steps.fail(n)
  expect(await client.codes(ReprocessWhy, { id, reason: 'x'.repeat(1_001) })).toEqual(['BAD_REQUEST'])
})
