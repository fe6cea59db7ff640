import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const Create = graphql(`
  mutation CreateDestination($input: CreateDestinationInput!) {
    createDestination(input: $input) { signingSecret destination {
      id name url active readOnly eventTypes filter headerNames authKind version timeoutMs ratePerSecond deliveryWindow
      retryScheduleSeconds retryForSeconds finalStatuses jobDeadlineSeconds maxConcurrency fifo fifoBlockSeconds disabledAt disabledReason
      queue { name } tenant { cnpj } signingSecrets { endsAt }
    } }
  }
`)
const Update = graphql(`
  mutation UpdateDestination($id: ID!, $input: UpdateDestinationInput!) {
    updateDestination(id: $id, input: $input) {
      name url active eventTypes filter headerNames authKind version timeoutMs ratePerSecond deliveryWindow maxConcurrency fifo fifoBlockSeconds
      disabledAt disabledReason queue { name }
    }
  }
`)
const Delete = graphql(`mutation DeleteDestination($id: ID!) { deleteDestination(id: $id) }`)
const Rotate = graphql(`
  mutation RotateDestinationSecret($id: ID!, $overlapSeconds: Int) {
    rotateDestinationSecret(id: $id, overlapSeconds: $overlapSeconds) {
      signingSecret destination { id signingSecrets { endsAt } }
    }
  }
`)
const One = graphql(`query OneDestination($id: ID!) { destination(id: $id) { id name url readOnly } }`)
const List = graphql(`
  query ListDestinations($filter: DestinationFilter, $first: Int, $last: Int, $after: String, $before: String) {
    destinations(filter: $filter, first: $first, last: $last, after: $after, before: $before) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { id } }
    }
  }
`)
const OfTenant = graphql(
  `query DestinationsOfTenant($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { destinations { name } } }`,
)
const Publish = graphql(`
  mutation PublishToDestinations($input: PublishEventInput!) {
    publishEvent(input: $input) { ids jobs { destinationId destination { name url } queue { name } } }
  }
`)
const Queues = graphql(`query QueueNames { queues { name } }`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>
let reader: typeof client
let tenant: typeof client
let other: typeof client

beforeAll(async () => {
  services = await openTestServices()
  const yoga = createGraphql({ services, log: console, maxEventBytes: 10_000 })
  client = graphqlClient(yoga, admin)
  reader = graphqlClient(yoga, { kind: 'admin', name: 'reader', access: 'read' })
  tenant = graphqlClient(yoga, await newTenant(services.tenants, numericCnpj, 'Padaria'))
  other = graphqlClient(yoga, await newTenant(services.tenants, alphanumericCnpj, 'Farmácia'))
  await services.tenants.createTenant({ cnpj: unusedCnpj, name: 'Many' })
})
afterAll(() => services.close())

const url = 'https://example.com/hook'
const create = async (input: object, by = client) =>
  (await by.data(Create, { input: { name: 'one', url, ...input } })).createDestination
const ids = async (variables: object, by = client) =>
  (await by.data(List, variables)).destinations.edges.map(({ node }) => node.id)

test('a destination is created with everything said of it, and its signing secret shown that once', async () => {
  const input = {
    ...{ cnpj: numericCnpj, eventTypes: ['order.*', 'x'], filter: "$[?$.a == 'b']", queue: 'slow' },
    ...{ headers: { 'X-Plan': 'gold' }, auth: { kind: 'BASIC', username: 'ana', password: 'geheim' } },
    ...{ retryScheduleSeconds: [1, 2], retryForSeconds: 9, finalStatuses: [404], timeoutMs: 900 },
    ...{ jobDeadlineSeconds: 60, active: false, maxConcurrency: 3, fifo: true, fifoBlockSeconds: 30 },
    ...{ ratePerSecond: 7, deliveryWindow: 'Mon-Fri 08:00-18:00 America/Sao_Paulo' },
  }
  const { destination, signingSecret } = await create(input)
  expect(destination).toMatchObject({
    ...{ name: 'one', url, active: false, readOnly: false, eventTypes: ['order.*', 'x'] },
    ...{ filter: "$[?$.a == 'b']", queue: { name: 'slow' }, headerNames: ['x-plan'], authKind: 'BASIC' },
    ...{ retryScheduleSeconds: [1, 2], retryForSeconds: 9, finalStatuses: [404], timeoutMs: 900 },
    ...{ jobDeadlineSeconds: 60, maxConcurrency: 3, fifo: true, fifoBlockSeconds: 30 },
    ...{ disabledAt: null, version: 1 },
    ...{ ratePerSecond: 7, deliveryWindow: 'Mon-Fri 08:00-18:00 America/Sao_Paulo' },
    ...{ tenant: { cnpj: numericCnpj }, signingSecrets: [{ endsAt: null }] },
  })
  expect(destination.id).toMatch(/^dst_[0-9a-z]+$/)
  expect(signingSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  const stored = await services.stores.destinations.byId(destination.id)
  for (const secret of ['gold', 'ana', 'geheim', signingSecret])
    expect(JSON.stringify(stored)).not.toContain(secret)
  expect((await client.data(Queues)).queues.map(({ name }) => name).sort()).toEqual(['nifi', 'slow'])
  await client.data(Delete, { id: destination.id })
})

test('a destination has ten places and keeps no order unless it says otherwise, and null takes it back to that', async () => {
  const { destination } = await create({ cnpj: numericCnpj })
  expect(destination).toMatchObject({ maxConcurrency: 10, fifo: false, fifoBlockSeconds: null })
  const { id } = destination
  const change = async (input: object) => (await client.data(Update, { id, input })).updateDestination
  const other = { maxConcurrency: 2, fifo: true, fifoBlockSeconds: 5 }
  expect(await change(other)).toMatchObject(other)
  expect(await change({ maxConcurrency: null, fifo: null, fifoBlockSeconds: null })).toMatchObject({
    ...{ maxConcurrency: 10, fifo: false, fifoBlockSeconds: null },
  })
  await client.data(Delete, { id })
})

test.each([
  [{ name: ' ' }, /name/],
  [{ url: 'ftp://example.com' }, /./],
  [{ url: `https://example.com/${'x'.repeat(2_000)}` }, /URL/],
  [{ queue: 'a.b' }, /queue/],
  [{ queue: 'maintenance' }, /queue/],
  [{ queue: 'Q' }, /queue/],
  [{ eventTypes: ['a*'] }, /event type/],
  [{ eventTypes: Array.from({ length: 51 }, () => 'a') }, /eventTypes/],
  [{ filter: '$[' }, /JSONPath/],
  [{ filter: `$.${'a'.repeat(512)}` }, /512/],
  [{ headers: { host: 'x' } }, /header/],
  [{ headers: { 'webhook-id': 'x' } }, /header/],
  [{ headers: { 'x-a': 'line\nbreak' } }, /header/],
  [{ headers: { 'x-a': 1 } }, /header/],
  [{ headers: 'x' }, /headers/],
  [{ auth: { kind: 'BASIC', username: 'a:b', password: 'x' } }, /colon/],
  [{ auth: { kind: 'BEARER' } }, /./],
  [{ auth: { kind: 'BEARER', token: 'a b' } }, /Bearer/],
  [{ auth: { kind: 'HEADER', name: 'content-length', value: '1' } }, /header/],
  [{ retryScheduleSeconds: [-1] }, /delay/],
  [{ finalStatuses: [200] }, /final status/],
  [{ timeoutMs: 99 }, /timeoutMs/],
  [{ ratePerSecond: 0 }, /ratePerSecond/],
  [{ ratePerSecond: 100_001 }, /ratePerSecond/],
  [{ deliveryWindow: 'sometimes' }, /access window/],
  [{ deliveryWindow: 'Mon-Fri 08:00-18:00 Mars/Olympus' }, /time zone/],
  [{ jobDeadlineSeconds: 0 }, /jobDeadlineSeconds/],
  [{ maxConcurrency: 0 }, /maxConcurrency/],
  [{ fifoBlockSeconds: 0 }, /fifoBlockSeconds/],
] as [object, RegExp][])('%j is refused with the reason, and nothing is made', async (wrong, reason) => {
  const answer = await client.send(Create, {
    input: { name: 'wrong', url, ...wrong } as { name: string; url: string },
  })
  expect(answer.errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_REQUEST'])
  expect(answer.errors?.[0]?.message).toMatch(reason)
  expect(await ids({ filter: { defaults: true } })).toEqual([])
})

test('an update changes what it names, null takes a setting away, and a change of an older version is refused', async () => {
  const { destination } = await create({ filter: '$.a', timeoutMs: 900, headers: { 'x-a': 'b' } })
  const { id } = destination
  const update = async (input: object) => (await client.data(Update, { id, input })).updateDestination
  expect(await update({ name: 'two', retryForSeconds: 5 })).toMatchObject({
    ...{
      name: 'two',
      url,
      filter: '$.a',
      timeoutMs: 900,
      headerNames: ['x-a'],
      version: 2,
    },
  })
  expect(await update({ version: 2, filter: null, timeoutMs: null, headers: null })).toMatchObject({
    ...{ name: 'two', filter: null, timeoutMs: null, headerNames: [], version: 3 },
  })
  expect(await client.codes(Update, { id, input: { version: 2, name: 'late' } })).toEqual([
    'DESTINATION_CHANGED',
  ])
  expect(await client.codes(Update, { id, input: { name: null } })).toEqual(['BAD_REQUEST'])
  expect(await client.codes(Update, { id: 'dst_nobody', input: {} })).toEqual(['DESTINATION_NOT_FOUND'])
  expect((await client.data(One, { id })).destination?.name).toBe('two')
  await client.data(Delete, { id })
})

test('of two changes at once of the same version one is refused', async () => {
  const { destination } = await create({})
  const change = (name: string) => client.send(Update, { id: destination.id, input: { version: 1, name } })
  const answers = await Promise.all([change('a'), change('b')])
  const codes = answers.flatMap(({ errors }) => (errors ?? []).map(({ extensions }) => extensions.code))
  expect(codes).toEqual(['DESTINATION_CHANGED'])
  await client.data(Delete, { id: destination.id })
})

test('a disabled destination says since when and why, and is back in service once it is made active', async () => {
  const { destination } = await create({})
  const { id } = destination
  await services.destinations.service.disable({ id, version: 1 }, 'HTTP 410')
  // Whoever had it in hand before a change knows nothing of what it is now.
  await services.destinations.service.disable({ id, version: 1 }, 'late')
  const renamed = (await client.data(Update, { id, input: { name: 'x' } })).updateDestination
  expect(renamed).toMatchObject({ active: false, disabledAt: expect.any(String), disabledReason: 'HTTP 410' })
  const active = (await client.data(Update, { id, input: { active: true } })).updateDestination
  expect(active).toMatchObject({ active: true, disabledAt: null, disabledReason: null })
  await client.data(Delete, { id })
})

test('a rotated secret is another one, and the old ends with the overlap', async () => {
  const { destination, signingSecret } = await create({})
  const { id } = destination
  const rotated = (await client.data(Rotate, { id, overlapSeconds: 60 })).rotateDestinationSecret
  expect(rotated.signingSecret).not.toBe(signingSecret)
  const [newest, old] = rotated.destination.signingSecrets
  expect(newest?.endsAt).toBeNull()
  expect(Date.parse(old?.endsAt ?? '') - Date.now()).toBeGreaterThan(50_000)
  const known = await services.destinations.directory.find(id)
  expect(known.kind === 'known' && known.destination.signingSecrets.map(({ secret }) => secret)).toEqual([
    rotated.signingSecret,
    signingSecret,
  ])
  expect(await client.codes(Rotate, { id, overlapSeconds: -1 })).toEqual(['BAD_REQUEST'])
  await client.data(Delete, { id })
})

test('destinations page both ways in order of creation, of all, of one tenant, or of none', async () => {
  const made: string[] = []
  for (const cnpj of [numericCnpj, null, numericCnpj, alphanumericCnpj])
    made.push((await create(cnpj ? { cnpj } : {})).destination.id)
  const [a, b, c, d] = made
  const firstPage = (await client.data(List, { first: 2 })).destinations
  expect(firstPage.edges.map(({ node }) => node.id)).toEqual([...made].sort().slice(0, 2))
  expect(firstPage.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false })
  expect(await ids({ first: 5, after: firstPage.pageInfo.endCursor })).toEqual([...made].sort().slice(2))
  const lastPage = (await client.data(List, { last: 1 })).destinations
  expect(await ids({ last: 2, before: lastPage.pageInfo.startCursor })).toEqual([...made].sort().slice(1, 3))
  expect((await ids({ filter: { cnpj: numericCnpj } })).sort()).toEqual([a, c].sort())
  expect(await ids({ filter: { defaults: true } })).toEqual([b])
  expect((await ids({}, tenant)).sort()).toEqual([a, c].sort())
  expect(await ids({ filter: { cnpj: numericCnpj } }, other)).toEqual([])
  expect(await ids({ filter: { defaults: true } }, other)).toEqual([])
  expect(await ids({}, other)).toEqual([d])
  const answered = await client.data(OfTenant, { cnpj: numericCnpj })
  expect(answered.tenant?.destinations).toHaveLength(2)
  for (const id of made) await client.data(Delete, { id })
  expect(await ids({})).toEqual([])
})

test("a tenant manages its own destinations; others' and everyone's are not there for it", async () => {
  const own = (await create({}, tenant)).destination
  expect(own.tenant?.cnpj).toBe(numericCnpj)
  const everyones = (await create({})).destination
  for (const [client, id] of [
    [other, own.id],
    [tenant, everyones.id],
    [tenant, 'default'],
  ] as const) {
    expect((await client.data(One, { id })).destination).toBeNull()
    for (const codes of [
      await client.codes(Update, { id, input: { name: 'mine' } }),
      await client.codes(Rotate, { id }),
      await client.codes(Delete, { id }),
    ])
      expect(codes).toEqual(['DESTINATION_NOT_FOUND'])
  }
  expect(await other.codes(Create, { input: { cnpj: numericCnpj, name: 'x', url } })).toEqual(['FORBIDDEN'])
  expect((await tenant.data(Update, { id: own.id, input: { name: 'mine' } })).updateDestination.name).toBe(
    'mine',
  )
  expect((await tenant.data(Delete, { id: own.id })).deleteDestination).toBe(own.id)
  await client.data(Delete, { id: everyones.id })
})

test('a reading administrator sees destinations and changes none', async () => {
  const { id } = (await create({})).destination
  expect((await reader.data(One, { id })).destination?.url).toBe(url)
  expect(await reader.codes(Create, { input: { name: 'x', url } })).toEqual(['FORBIDDEN'])
  expect(await reader.codes(Update, { id, input: { name: 'x' } })).toEqual(['FORBIDDEN'])
  expect(await reader.codes(Rotate, { id })).toEqual(['FORBIDDEN'])
  expect(await reader.codes(Delete, { id })).toEqual(['FORBIDDEN'])
  await client.data(Delete, { id })
})

test("the environment's destination is shown to administrators, and nobody changes it", async () => {
  const { destination } = await client.data(One, { id: 'default' })
  expect(destination).toMatchObject({ id: 'default', readOnly: true })
  expect(await client.codes(Update, { id: 'default', input: { name: 'x' } })).toEqual(['FORBIDDEN'])
  expect(await client.codes(Delete, { id: 'default' })).toEqual(['FORBIDDEN'])
})

test('a tenant has at most 20, and names queues that are there', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => create({ cnpj: unusedCnpj })))
  expect(await client.codes(Create, { input: { cnpj: unusedCnpj, name: 'x', url } })).toEqual([
    'TOO_MANY_DESTINATIONS',
  ])
  expect(new Set(made.map(({ destination }) => destination.id)).size).toBe(20)
  expect(await tenant.codes(Create, { input: { name: 'x', url, queue: 'new-one' } })).toEqual([
    'QUEUE_NOT_FOUND',
  ])
  const { id } = (await create({ queue: 'slow' }, tenant)).destination
  await tenant.data(Delete, { id })
})

test('an event makes one job for each destination of its tenant that wants it, each shown with its destination', async () => {
  const [one, two] = [
    (await create({ name: 'orders', cnpj: numericCnpj, eventTypes: ['order.*'], queue: 'slow' })).destination,
    (await create({ name: 'large', cnpj: numericCnpj, filter: '$[?$.amount > 10]' })).destination,
  ]
  const publish = async (amount: number, by = tenant) =>
    (await by.data(Publish, { input: { eventType: 'order.paid', payload: { amount } } })).publishEvent
  expect((await publish(11)).jobs).toEqual([
    { destinationId: one.id, destination: { name: 'orders', url }, queue: { name: 'slow' } },
    { destinationId: two.id, destination: { name: 'large', url }, queue: { name: 'nifi' } },
  ])
  expect((await publish(9)).jobs.map(({ destinationId }) => destinationId)).toEqual([one.id])
  await client.data(Update, { id: one.id, input: { active: false } })
  expect(await publish(9)).toEqual({ ids: [], jobs: [] })
  // Where everyone's events go is no tenant's to see.
  expect((await publish(9, other)).jobs).toEqual([
    { destinationId: 'default', destination: null, queue: { name: 'nifi' } },
  ])
  const everyones = (await create({ name: 'for all' })).destination
  expect((await publish(9, other)).jobs).toEqual([
    { destinationId: everyones.id, destination: null, queue: { name: 'nifi' } },
  ])
  expect(await publish(9)).toEqual({ ids: [], jobs: [] })
  for (const { id } of [one, two, everyones]) await client.data(Delete, { id })
  expect((await publish(9)).jobs.map(({ destinationId }) => destinationId)).toEqual(['default'])
})
