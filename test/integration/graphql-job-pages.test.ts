import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import type { JobsPageQueryVariables, TenantsPageQueryVariables } from '../gql/graphql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const JobsPage = graphql(`
  query JobsPage($first: Int, $after: String, $last: Int, $before: String, $filter: JobFilter) {
    jobs(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      totalCount
      pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
      edges { cursor node { id } }
    }
  }
`)
const TenantsPage = graphql(`
  query TenantsPage($first: Int, $after: String, $last: Int, $before: String) {
    tenants(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      pageInfo { endCursor hasNextPage hasPreviousPage }
      edges { node { cnpj } }
    }
  }
`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>

beforeAll(async () => {
  services = await openTestServices()
  client = graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), admin)
  await newTenant(services.tenants, numericCnpj, 'First')
  await newTenant(services.tenants, alphanumericCnpj, 'Second')
  await newTenant(services.tenants, unusedCnpj, 'Third')
})
afterAll(() => services.close())

const text = Buffer.from('{"item":"Açaí"}')
const event = (cnpj: string) => ({
  cnpj,
  eventType: null,
  correlationId: null,
  contentType: null,
  headers: {},
  idempotencyKey: null,
})
const accept = async (cnpj: string, count: number): Promise<number[]> => {
  const accepted = await Promise.all(
    Array.from({ length: count }, () => services.intake.accept({ ...event(cnpj), body: Buffer.from('{}') })),
  )
  await services.historyCaughtUp()
  return accepted.flatMap(({ ns }) => ns).sort((a, b) => b - a)
}
const page = async (variables: JobsPageQueryVariables) => {
  const { jobs } = await client.data(JobsPage, variables)
  return { ...jobs, ids: jobs.edges.map(({ node }) => node.id) }
}
const idsOf = (ns: readonly number[]) => ns.map((n) => `ID-${n}`)

describe('the list of jobs', () => {
  test('is read forwards without gaps or repeats while new jobs arrive', async () => {
    const before = idsOf(await accept(numericCnpj, 7))
    const filter = { cnpj: numericCnpj }
    const seen: string[] = []
    let after: string | null = null
    do {
      const { ids, pageInfo } = await page({ first: 3, after, filter })
      seen.push(...ids)
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null
      await accept(numericCnpj, 2)
    } while (after !== null)
    expect(seen).toEqual(before)
  })

  test('is read backwards from its end to its newest, those included that came meanwhile', async () => {
    const old = idsOf(await accept(alphanumericCnpj, 5))
    const filter = { cnpj: alphanumericCnpj }
    const oldest = await page({ last: 3, filter })
    expect(oldest.ids).toEqual(old.slice(2))
    expect(oldest.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: false })

    const fresh = idsOf(await accept(alphanumericCnpj, 2))
    const newer = await page({ last: 3, before: oldest.pageInfo.startCursor, filter })
    expect(newer.ids).toEqual([fresh[1], ...old.slice(0, 2)])
    expect(newer.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: true })
    const newest = await page({ last: 3, before: newer.pageInfo.startCursor, filter })
    expect(newest.ids).toEqual([fresh[0]])
    expect(newest.pageInfo.hasPreviousPage).toBe(false)
  })

  test('is cut by after and before together', async () => {
    const ns = await accept(unusedCnpj, 5)
    const all = await page({ first: 5, filter: { cnpj: unusedCnpj } })
    const between = await page({
      first: 10,
      after: all.edges[0]?.cursor,
      before: all.edges[4]?.cursor,
      filter: { cnpj: unusedCnpj },
    })
    expect(between.ids).toEqual(idsOf(ns.slice(1, 4)))
  })

  test('is filtered by every field of the filter', async () => {
    const [first = 0, second = 0] = await accept(unusedCnpj, 2)
    await jobSteps(services).fail(first)
    await services.historyCaughtUp()
    const ids = idsOf([first, second])
    expect((await page({ filter: { ids: [...ids, 'no id'] } })).ids).toEqual(ids)
    expect((await page({ filter: { ids, statuses: ['FAILED'] } })).ids).toEqual([`ID-${first}`])
    expect((await page({ filter: { ids, statuses: ['FAILED', 'RECEIVED'] } })).totalCount).toBe(2)
    expect((await page({ filter: { ids, queue: 'nifi' } })).ids).toEqual(ids)
    expect((await page({ filter: { ids, queue: 'other' } })).ids).toEqual([])
    expect((await page({ filter: { ids, cnpj: numericCnpj } })).ids).toEqual([])
    expect((await page({ filter: { ids: [] } })).ids).toEqual([])
    expect((await page({ filter: { ids, destination: 'default' } })).ids).toEqual(ids)
    expect((await page({ filter: { ids, destination: 'dst_other' } })).ids).toEqual([])
    const typed = await services.intake.accept({ ...event(unusedCnpj), eventType: 'pedido.pago', body: text })
    await services.historyCaughtUp()
    const typedIds = idsOf(typed.ns)
    expect((await page({ filter: { eventType: 'pedido.pago' } })).ids).toEqual(typedIds)
    expect((await page({ filter: { text: 'acai', cnpj: unusedCnpj } })).ids).toEqual(typedIds)
    expect((await page({ filter: { text: ' ', ids } })).ids).toEqual(ids)
    const [job] = await services.jobs.jobs(typed.ns)
    const receivedFrom = new Date(job?.receivedAt ?? 0).toISOString()
    expect((await page({ filter: { receivedFrom } })).ids).toEqual(typedIds)
    expect((await page({ filter: { receivedTo: receivedFrom, ids: [...ids, ...typedIds] } })).ids).toEqual(
      ids,
    )
    expect((await page({ filter: { statuses: [] } })).totalCount).toBe(0)
  })

  test('has no cursors on an empty page', async () => {
    const { pageInfo, edges } = await page({ first: 0 })
    expect(edges).toEqual([])
    expect(pageInfo).toEqual({
      startCursor: null,
      endCursor: null,
      hasNextPage: true,
      hasPreviousPage: false,
    })
  })
})

describe('the list of tenants', () => {
  test('is read in both directions, in order of the CNPJ', async () => {
    const tenants = async (variables: TenantsPageQueryVariables) =>
      (await client.data(TenantsPage, variables)).tenants
    const start = await tenants({ first: 2 })
    expect(start.edges.map(({ node }) => node.cnpj)).toEqual([unusedCnpj, numericCnpj])
    expect(start).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true, hasPreviousPage: false } })
    const rest = await tenants({ first: 2, after: start.pageInfo.endCursor })
    expect(rest.edges.map(({ node }) => node.cnpj)).toEqual([alphanumericCnpj])
    const end = await tenants({ last: 2 })
    expect(end.edges.map(({ node }) => node.cnpj)).toEqual([numericCnpj, alphanumericCnpj])
    expect(end.pageInfo.hasPreviousPage).toBe(true)
  })
})

describe('a page is refused', () => {
  test.each<[string, JobsPageQueryVariables]>([
    ['first beyond 200', { first: 201 }],
    ['first below 0', { first: -1 }],
    ['last beyond 200', { last: 201 }],
    ['first and last', { first: 1, last: 1 }],
    ['a cursor that is none', { after: 'nothing' }],
    ['a cursor of another list', { before: Buffer.from('tenants:1').toString('base64url') }],
  ])('with %s', async (_what, variables) => {
    expect(await client.codes(JobsPage, variables)).toEqual(['BAD_REQUEST'])
  })

  test('with a text of more than 200 characters or 10 words', async () => {
    expect(await client.codes(JobsPage, { filter: { text: 'x'.repeat(201) } })).toEqual(['BAD_REQUEST'])
    expect(await client.codes(JobsPage, { filter: { text: 'x '.repeat(11) } })).toEqual(['BAD_REQUEST'])
  })

  test('with more than 1,000 ids', async () => {
    const ids = Array.from({ length: 1_001 }, (_, i) => `ID-${i + 1}`)
    expect(await client.codes(JobsPage, { filter: { ids } })).toEqual(['BAD_REQUEST'])
  })
})
