import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createIntake } from '../../src/events/intake.ts'
import { defaultRouter } from '../../src/events/routing.ts'
import type { GraphqlServices } from '../../src/graphql/services.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { createJobReader } from '../../src/history/job-reader.ts'
import { admin, requestId } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { newTenant, numericCnpj } from '../support/tenants.ts'

const logged: unknown[] = []
const serializers = { err: ({ message, cause }: Error) => ({ message, cause: String(cause) }) }
const log = pino({ level: 'error', serializers }, { write: (line: string) => logged.push(JSON.parse(line)) })

let services: TestServices
let url: string
let close: () => void

beforeAll(async () => {
  services = await openTestServices()
  const graphql = createGraphql({ services, log, maxEventBytes: 1_000 })
  const server = createServer((request, response) => {
    void graphql(request, response, { principal: admin, requestId })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  close = () => server.close().closeAllConnections()
})
afterAll(async () => {
  close()
  await services.close()
})
beforeEach(() => {
  logged.length = 0
})

type Body = {
  data?: unknown
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[]
}

async function answerTo(body: unknown, init: RequestInit = {}): Promise<{ status: number } & Body> {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), ...init })
  return { status: response.status, ...((await response.json()) as Body) }
}
const extensionsOf = ({ errors }: Body) => errors?.map(({ extensions }) => extensions)

describe('a mistake in the request', () => {
  test.each([
    ['syntax', { query: '{ viewer { kind ' }, 'GRAPHQL_PARSE_FAILED', 400],
    ['an unknown field', { query: '{ viewer { nothing } }' }, 'GRAPHQL_VALIDATION_FAILED', 400],
    [
      'a variable of the wrong type',
      { query: 'query ($id: ID!) { job(id: $id) { id } }' },
      'BAD_REQUEST',
      400,
    ],
    [
      'an unknown operation',
      { query: '{ viewer { kind } }', operationName: 'X' },
      'OPERATION_RESOLUTION_FAILURE',
      400,
    ],
    ['no query', { variables: {} }, 'BAD_REQUEST', 400],
    ['several queries at once', [{ query: '{ viewer { kind } }' }], 'BAD_REQUEST', 400],
    ['a wrong CNPJ written in the query', { query: '{ tenant(cnpj: "1") { name } }' }, 'INVALID_CNPJ', 400],
    [
      'a wrong CNPJ in a variable',
      { query: 'query ($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { name } }', variables: { cnpj: 1 } },
      'INVALID_CNPJ',
      400,
    ],
    [
      'null for an argument that must not be null',
      { query: 'query ($id: ID = "ID-1") { job(id: $id) { id } }', variables: { id: null } },
      'BAD_REQUEST',
      400,
    ],
    [
      'a document of too many parts',
      { query: `{ viewer { ${'kind '.repeat(2_000)} } }` },
      'DOCUMENT_TOO_COMPLEX',
      400,
    ],
  ])('is answered with its code and the request id: %s', async (_what, body, code, status) => {
    const answer = await answerTo(body)
    expect(extensionsOf(answer)).toMatchObject([{ code, requestId }])
    expect(answer.status).toBe(status)
    expect(logged).toEqual([])
  })

  test('is answered as 200 to those who do not know application/graphql-response+json', async () => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await answerTo({ query: '{ viewer { nothing } }' }, { headers })
    expect(answer.status).toBe(200)
    expect(extensionsOf(answer)).toMatchObject([{ code: 'GRAPHQL_VALIDATION_FAILED', requestId }])
  })
})

describe('a page of another site', () => {
  const query = '{ viewer { kind } }'
  test.each([
    ['a form', { body: new URLSearchParams({ query }), headers: {} }],
    ['text that is JSON', { body: JSON.stringify({ query }), headers: { 'content-type': 'text/plain' } }],
    [
      'a text that pretends to be JSON',
      { body: JSON.stringify({ query }), headers: { 'content-type': 'text/plain;application/json' } },
    ],
  ])('cannot make a browser send a request it was not allowed: %s', async (_what, init) => {
    const answer = await answerTo(undefined, init)
    expect(answer.status).toBe(403)
    expect(extensionsOf(answer)).toEqual([{ code: 'FORBIDDEN', requestId }])
  })

  test('cannot make it send a GET either, while a client with a token can', async () => {
    const get = (headers: Record<string, string>) =>
      fetch(`${url}?query=${encodeURIComponent(query)}`, { headers })
    expect((await get({})).status).toBe(403)
    expect(await (await get({ authorization: 'Bearer x' })).json()).toEqual({
      data: { viewer: { kind: 'ADMIN' } },
    })
  })

  test('gets no permission to read an answer', async () => {
    const headers = { origin: 'https://example.com', 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('cannot change anything by GET', async () => {
    const mutation = encodeURIComponent('mutation { invalidateTenantCache }')
    const response = await fetch(`${url}?query=${mutation}`, { headers: { authorization: 'Bearer x' } })
    expect(response.status).toBe(405)
  })
})

test('what a service refuses is answered with its code, its path and the rest of the data', async () => {
  const answer = await answerTo({ query: '{ viewer { kind } tenants(first: 500) { totalCount } }' })
  expect(answer).toEqual({
    status: 200,
    data: null,
    errors: [
      {
        message: 'first must be from 0 to 200.',
        path: ['tenants'],
        locations: [{ line: 1, column: 19 }],
        extensions: { code: 'BAD_REQUEST', requestId },
      },
    ],
  })
  expect(logged).toEqual([])
})

/** The same endpoint with one of its services in another state. */
async function answerWith(changed: Partial<GraphqlServices>, query: string): Promise<Body> {
  const graphql = createGraphql({ services: { ...services, ...changed }, log, maxEventBytes: 1_000 })
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body: JSON.stringify({ query }) }
  const response = await graphql.fetch('http://gancho/graphql', request, { principal: admin, requestId })
  return (await response.json()) as Body
}

test('a full inbox is answered with the time after which a repeat makes sense', async () => {
  await newTenant(services.tenants, numericCnpj, 'Padaria')
  const intake = createIntake({
    redis: services.connections.intake,
    route: defaultRouter(),
    dataSet: services.dataSet,
    memoryIsShort: () => true,
    maxBacklog: 1,
    idempotencyTtlSeconds: 60,
  })
  const publish = `mutation { publishEvent(input: { cnpj: "${numericCnpj}", body: "x" }) { ids } }`
  expect(extensionsOf(await answerWith({ intake }, publish))).toEqual([
    { code: 'BACKLOG_FULL', requestId, retryAfterSeconds: 5 },
  ])
})

describe('what nobody expected', () => {
  const twoJobs = '{ a: job(id: "ID-1") { id } b: job(id: "ID-2") { id } }'

  test('is hidden behind INTERNAL and the request id, and logged once however many fields it hit', async () => {
    const jobs = createJobReader({ ...services.records, jobs: undefined as never }, services.stores.history)
    const answer = await answerWith({ jobs }, twoJobs)
    const hidden = {
      message: 'Something went wrong on our side.',
      extensions: { code: 'INTERNAL', requestId },
    }
    expect(answer).toMatchObject({ data: { a: null, b: null }, errors: [hidden, hidden] })
    expect(logged).toMatchObject([{ requestId, err: { cause: 'TypeError: records.jobs is not a function' } }])
  })

  test('is told apart from a database that is away, which callers may know of', async () => {
    const stores = await startTestStores()
    await stores.close()
    const jobs = createJobReader(services.records, stores.history)
    const answer = await answerWith({ jobs }, twoJobs)
    const known = { code: 'DATABASE_UNAVAILABLE', requestId }
    expect(extensionsOf(answer)).toEqual([known, known])
    expect(logged).toHaveLength(1)
  })

  test('is told where it was asked for: of a list itself, and of what its jobs that go on are asked for', async () => {
    await services.intake.accept({
      ...{ cnpj: numericCnpj, eventType: null, correlationId: null, contentType: null, headers: {} },
      ...{ body: Buffer.from('x'), idempotencyKey: null },
    })
    await services.historyCaughtUp()
    const broken = () => Promise.reject(new Error('broken'))
    const query = '{ jobs { edges { node { attempts { number } tenant { name } } } } }'
    const failing = async (method: 'search' | 'attempts') => {
      const history = Object.create(services.stores.history, { [method]: { value: broken } })
      return (await answerWith({ jobs: createJobReader(services.records, history) }, query)).errors
    }
    expect(await failing('search')).toMatchObject([{ path: ['jobs'] }])
    expect(await failing('attempts')).toMatchObject([{ path: ['jobs', 'edges', 0, 'node', 'attempts'] }])
    expect(logged).toHaveLength(2)
  })
})
