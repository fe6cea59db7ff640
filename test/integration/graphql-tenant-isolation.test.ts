import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Publish = graphql(`
  mutation PublishOwn { publishEvent(input: { payload: { secret: 1 } }) { ids } }
`)
const Look = graphql(`
  query Look($id: ID!, $ids: [ID!]!) {
    job(id: $id) { id tenant { name } }
    node(id: $id) { id ... on Job { body } }
    nodes(ids: $ids) { id }
    jobs(filter: { ids: $ids }) { edges { node { id } } totalCount }
  }
`)
const LookAtTenant = graphql(`
  query LookAtTenant($cnpj: CNPJ!, $id: ID!) {
    viewer { kind tenant { cnpj } }
    tenant(cnpj: $cnpj) { id name }
    node(id: $id) { id }
    tenants { edges { node { cnpj } } totalCount }
    jobs(filter: { cnpj: $cnpj }) { edges { node { id } } totalCount }
  }
`)
const Reprocess = graphql(`mutation ReprocessIt($id: ID!) { reprocessJob(id: $id) { id } }`)
const Discard = graphql(`mutation DiscardIt($id: ID!) { discardJob(id: $id) { id status } }`)
const unknownId = 'ID-999999'

let services: TestServices
let owner: ReturnType<typeof graphqlClient>
let stranger: ReturnType<typeof graphqlClient>
let administrator: ReturnType<typeof graphqlClient>
let id: string

beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  owner = graphqlClient(endpoint, await newTenant(services.tenants, numericCnpj, 'Owner'))
  stranger = graphqlClient(endpoint, await newTenant(services.tenants, alphanumericCnpj, 'Stranger'))
  administrator = graphqlClient(endpoint, admin)
})
afterAll(() => services.close())
beforeEach(async () => {
  id = (await owner.data(Publish)).publishEvent.ids[0] ?? ''
  await jobSteps(services).fail(Number(id.slice(3)))
  await services.historyCaughtUp()
})

/** An answer with one id in the place of another, to compare what two ids tell. */
const renamed = (answer: unknown, from: string, to: string) =>
  JSON.parse(JSON.stringify(answer).replaceAll(from, to)) as unknown

describe("another tenant's job", () => {
  test('looks to every query like one that does not exist', async () => {
    const answer = await stranger.send(Look, { id, ids: [id] })
    expect(answer).toEqual({
      data: { job: null, node: null, nodes: [null], jobs: { edges: [], totalCount: 0 } },
    })
    expect(answer).toEqual(await stranger.send(Look, { id: unknownId, ids: [unknownId] }))
    expect(answer).toEqual(await stranger.send(Look, { id: 'no id at all', ids: ['no id at all'] }))
  })

  test.each<[string, typeof Reprocess | typeof Discard]>([
    ['reprocessJob', Reprocess],
    ['discardJob', Discard],
  ])('looks to %s like one that does not exist, and stays as it is', async (_name, mutation) => {
    const answer = await stranger.send<unknown, { id: string }>(mutation, { id })
    expect(answer.errors?.map((error) => error.extensions.code)).toEqual(['JOB_NOT_FOUND'])
    expect(renamed(answer, id, unknownId)).toEqual(
      await stranger.send<unknown, { id: string }>(mutation, { id: unknownId }),
    )
    expect((await services.jobs.job(Number(id.slice(3))))?.status).toBe('FAILED')
  })
})

describe('its owner and an administrator', () => {
  test.each(['owner', 'administrator'])('see it: %s', async (who) => {
    const client = who === 'owner' ? owner : administrator
    expect(await client.data(Look, { id, ids: [id] })).toEqual({
      job: { id, tenant: { name: 'Owner' } },
      node: { id, body: '{"secret":1}' },
      nodes: [{ id }],
      jobs: { edges: [{ node: { id } }], totalCount: 1 },
    })
  })

  test('may queue it again and discard it', async () => {
    expect(await owner.data(Reprocess, { id })).toEqual({ reprocessJob: { id } })
    expect(await owner.data(Discard, { id })).toEqual({ discardJob: { id, status: 'DISCARDED' } })
  })
})

describe('a tenant', () => {
  test('sees no other tenant and no list of them', async () => {
    const variables = { cnpj: numericCnpj, id: `CNPJ-${numericCnpj}` }
    expect(await stranger.data(LookAtTenant, variables)).toEqual({
      viewer: { kind: 'TENANT', tenant: { cnpj: alphanumericCnpj } },
      tenant: null,
      node: null,
      tenants: { edges: [{ node: { cnpj: alphanumericCnpj } }], totalCount: 1 },
      jobs: { edges: [], totalCount: 0 },
    })
    const own = await owner.data(LookAtTenant, variables)
    expect(own.tenant).toEqual({ id: variables.id, name: 'Owner' })
    expect(own.node).toEqual({ id: variables.id })
    expect(own.jobs.totalCount).toBeGreaterThan(0)
  })

  test('sees none of what is an administrator’s', async () => {
    for (const query of [
      graphql(`query OneQueue { queue(name: "nifi") { name } }`),
      graphql(`query AllQueues { queues { name } }`),
      graphql(`query LastRun { maintenance { startedAt } }`),
      graphql(`query CountsOfJobs { jobs(first: 1) { edges { node { queue { waiting } } } } }`),
      graphql(`mutation Make { createTenant(input: { cnpj: "00000000000191", name: "X" }) { token } }`),
      graphql(`mutation Close { setTenantActive(cnpj: "11222333000181", active: false) { cnpj } }`),
      graphql(`mutation Delete { deleteTenant(cnpj: "11222333000181") }`),
      graphql(`mutation Forget { invalidateTenantCache }`),
    ]) {
      const answer = await owner.send<unknown, Record<string, never>>(query)
      expect([String(query), answer.errors?.map((error) => error.extensions.code)]).toEqual([
        String(query),
        ['FORBIDDEN'],
      ])
    }
    expect(await services.tenants.listTenants({ limit: 10 })).toHaveLength(2)
  })
})
