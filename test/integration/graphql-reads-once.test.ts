import { getNamedType, getNullableType, isCompositeType, isLeafType, isObjectType } from 'graphql'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { schema } from '../../src/graphql/schema.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import { TypedDocumentString } from '../gql/graphql.ts'
import { eventually } from '../support/eventually.ts'
import { failed } from '../support/failures.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { jobSteps } from '../support/job-steps.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { tokenRow } from '../support/tenant-rows.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Everything = graphql(`
  query Everything($first: Int!) {
    jobs(first: $first) {
      edges {
        node {
          id status payload body explanation
          attempts { number }
          rounds { number outcome }
          tenant { name }
          queue { name waiting active delayed failed paused }
        }
      }
    }
  }
`)
const Light = graphql(`query Light { jobs(first: 50) { edges { node { id status } } } }`)
const Counted = graphql(`query Counted { jobs(first: 1) { totalCount totalCountIsExact edges { cursor } } }`)
const Told = graphql(`
  query Told { jobs(first: 6) { edges { node { ...Why ... on Node { ... on Job { headers } } } } } }
  fragment Why on Job { status explanation }
`)
const Nodes = graphql(
  `query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id ... on Job { payload tenant { name } } } }`,
)

const Tried = graphql(`
  query Tried($ids: [ID!]!) {
    jobs(filter: { ids: $ids }) { edges { node { id status attempts { number } } } }
  }
`)

const Tokens = graphql(`query TokensOfAll { tenants { edges { node { cnpj tokens { name } } } } }`)

const Sources = graphql(
  `query SourcesOfAll { tenants { edges { node { lastActivityAt sources { name lastUsedAt } } } } }`,
)

const calls: string[] = []
/** What each search asked for. */
const searched: unknown[] = []
let services: TestServices
let client: ReturnType<typeof graphqlClient>

/** Passes everything on and notes each call, which is one round trip to Redis or one SQL statement. */
function watch<Part extends object>(part: Part): Part {
  return new Proxy(part, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (name === 'search') searched.push(args[2])
        calls.push(`${'snapshots' in target ? 'redis' : 'sql'} ${String(name)}`)
        return value.apply(target, args) as unknown
      }
    },
  })
}

beforeAll(async () => {
  services = await openTestServices({ watch })
  client = graphqlClient(createGraphql({ services, log: console, maxEventBytes: 1_000 }), admin)
  const steps = jobSteps(services)
  for (const cnpj of [numericCnpj, alphanumericCnpj]) {
    await newTenant(services.tenants, cnpj, cnpj)
    for (const i of [0, 1, 2]) {
      const event = {
        cnpj,
        eventType: 'order.created',
        correlationId: 'c-1',
        contentType: 'application/json',
        headers: { 'x-shop': 'padaria' },
      }
      const accepted = await services.intake.accept({
        ...event,
        body: Buffer.from(`${i}`),
        idempotencyKey: null,
      })
      const n = accepted.ns[0] ?? 0
      if (i === 1) await steps.deliver(n)
      if (i === 2) await steps.fail(n)
    }
  }
  await services.historyCaughtUp()
  // Delivered and projected, it is in history alone.
  await eventually(async () => expect(await services.records.jobs([2, 5])).toEqual([]))
})
afterAll(() => services.close())
beforeEach(() => {
  calls.length = 0
  searched.length = 0
})

const all = ['redis bodies', 'redis rounds', 'sql bodies', 'sql rounds', 'sql search']
/** Attempts of those that are neither delivered nor failed: there may be some that history does not have yet. */
const ofOthers = ['redis attempts', 'sql attempts']

test.each([
  { first: 2, calledFor: all },
  { first: 6, calledFor: [...all, ...ofOthers] },
])('a list of $first jobs with everything is read with the same few calls', async ({ first, calledFor }) => {
  const { jobs } = await client.data(Everything, { first })
  expect(jobs.edges).toHaveLength(first)
  expect([...calls].sort()).toEqual([...calledFor].sort())
  expect(jobs.edges[0]?.node).toMatchObject({
    ...{
      status: 'FAILED',
      payload: 2,
      body: '2',
      attempts: [{ number: 1 }],
      tenant: { name: alphanumericCnpj },
    },
    queue: { name: 'nifi', waiting: 0, active: 0, delayed: 0, failed: 2, paused: false },
  })
})

test('a list reads no more than it shows, and counts only what is asked for', async () => {
  await client.data(Light)
  expect(searched.splice(0)).toEqual([{ job: ['status'], tenants: false }])
  expect(calls).toEqual(['sql search'])
  calls.length = 0
  const { jobs } = await client.data(Counted)
  expect(jobs).toMatchObject({ totalCount: 6, totalCountIsExact: true })
  expect(calls).toEqual(['sql search', 'sql tally'])
})

test('a list reads what is asked for by way of fragments', async () => {
  const { jobs } = await client.data(Told)
  expect(searched.splice(0)).toMatchObject([{ job: expect.arrayContaining(['headers', 'failure']) }])
  const failed = jobs.edges.find(({ node }) => node.status === 'FAILED')?.node
  expect(failed?.explanation).toMatch(/^Failed for good at .*\(EXHAUSTED\)/)
  expect(failed?.headers).toEqual({ 'x-shop': 'padaria' })
})

/** The fields of a type that have no arguments, and of those of their fields that are values. */
function selectionsOf(name: string): string[] {
  const type = schema.getType(name)
  const fields = isObjectType(type) ? Object.values(type.getFields()) : []
  return fields.flatMap((field) => {
    const of = getNamedType(field.type)
    if (!isCompositeType(of)) return [field.name]
    const values = isObjectType(of) ? Object.values(of.getFields()) : []
    const leaves = values.filter(
      (value) => isLeafType(getNullableType(value.type)) && value.args.length === 0,
    )
    return [`${field.name} { ${leaves.map((value) => value.name).join(' ')} }`]
  })
}

type Shown = Record<string, unknown>
const shown = <Data>(query: string) =>
  client.data(new TypedDocumentString<Data, Record<string, never>>(query))

test('each field of a listed job says what it says of a job that is read whole', async () => {
  const selections = [
    ...selectionsOf('Job'),
    ...selectionsOf('Attempt').map((selection) => `attempts { ${selection} }`),
  ]
  expect(selections.length).toBeGreaterThan(30)
  const ids = [6, 5, 4, 3, 2, 1].map((n) => `"ID-${n}"`)
  for (const selection of selections) {
    type Listed = { jobs: { edges: { node: Shown }[] } }
    const { jobs } = await shown<Listed>(`{ jobs(first: 6) { edges { node { ${selection} } } } }`)
    const { nodes } = await shown<{ nodes: Shown[] }>(
      `{ nodes(ids: [${ids}]) { ... on Job { ${selection} } } }`,
    )
    expect(
      jobs.edges.map(({ node }) => node),
      selection,
    ).toEqual(nodes)
  }
})

test("the tokens of a whole list of tenants are read at once, and each tenant's are its own", async () => {
  const second = tokenRow(numericCnpj, 'a', { name: 'second', createdAt: Date.now() + 1_000 })
  await services.stores.tenants.addToken(second)
  const { tenants } = await client.data(Tokens)
  expect(calls).toEqual(['sql list', 'sql tokens'])
  expect(tenants.edges.map(({ node }) => node)).toEqual([
    { cnpj: numericCnpj, tokens: [{ name: 'second' }, { name: 'first' }] },
    { cnpj: alphanumericCnpj, tokens: [{ name: 'first' }] },
  ])
})

test('so are their sources, and when each tenant was last active', async () => {
  const inputs = [numericCnpj, alphanumericCnpj, alphanumericCnpj].map((cnpj, at) => ({ cnpj, at }))
  const options = { scheme: 'github', secrets: ['a-secret-of-16-characters'], options: {} } as const
  const created = []
  for (const { cnpj, at } of inputs)
    created.push(await services.sources.createSource(cnpj, { name: `source ${at}`, ...options }))
  const at = Date.now()
  await services.stores.sources.touch([{ id: created[2]?.id ?? '', at }])
  calls.length = 0
  const { tenants } = await client.data(Sources)
  expect([...calls].sort()).toEqual(['sql lastUses', 'sql list', 'sql ofTenants'])
  const used = new Date(at).toISOString()
  expect(tenants.edges.map(({ node }) => node)).toEqual([
    { lastActivityAt: null, sources: [{ name: 'source 0', lastUsedAt: null }] },
    {
      lastActivityAt: used,
      sources: [
        { name: 'source 1', lastUsedAt: null },
        { name: 'source 2', lastUsedAt: used },
      ],
    },
  ])
})

test('many nodes are read together, from Redis first and from history what is not there', async () => {
  const { nodes } = await client.data(Nodes, { ids: ['ID-1', 'ID-2', 'ID-3', 'ID-4', 'ID-4', 'ID-99'] })
  expect(nodes.map((node) => node?.id)).toEqual(['ID-1', 'ID-2', 'ID-3', 'ID-4', 'ID-4', undefined])
  expect([...calls].sort()).toEqual(['redis bodies', 'redis jobs', 'sql bodies', 'sql byCnpjs', 'sql jobs'])
})

test('the counts of a queue are read once for all jobs in it', async () => {
  const commands: string[] = []
  const monitor = await services.connections.dedicated('monitor').monitor()
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args.join(' ')))
  await client.data(Everything, { first: 6 })
  const marker = 'the end of what is counted'
  await services.connections.patient.echo(marker)
  await expect.poll(() => commands.some((command) => command.includes(marker))).toBe(true)
  monitor.disconnect()
  const paused = commands.filter((command) => command.startsWith('hexists') && command.includes('paused'))
  expect(paused).toHaveLength(1)
})

test('a list asks Redis for the attempts of a settled job that tells of more than history has', async () => {
  await jobSteps(services).begin(1)
  await services.historyCaughtUp()
  await services.stores.history.failUnfinished(failed, 10)
  const { jobs } = await client.data(Tried, { ids: ['ID-1', 'ID-2', 'ID-3'] })
  expect(jobs.edges.map(({ node }) => node)).toEqual([
    { id: 'ID-3', status: 'FAILED', attempts: [{ number: 1 }] },
    { id: 'ID-2', status: 'DELIVERED', attempts: [{ number: 1 }] },
    { id: 'ID-1', status: 'FAILED', attempts: [] },
  ])
  expect(calls.filter((call) => call.endsWith('attempts'))).toEqual([...['redis attempts', 'sql attempts']])
})
