import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { endingOf, openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { connectRaw } from '../support/raw-http.ts'

const statuses = ['RECEIVED', 'QUEUED', 'DELIVERING', 'DELIVERED']
const query = `subscription ($after: Cursor, $filter: JobEventFilter) { jobEvents(after: $after, filter: $filter) {
  ... on JobStatusChanged { jobId status } } }`
const keepAliveMs = 200

let fleet: Fleet
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  fleet = await openFleet({
    answer: (response) => response.end('ok'),
    env: { STREAM_KEEP_ALIVE_MS: String(keepAliveMs) },
  })
  gancho = await fleet.start('all')
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const resultsOf = (id: string) => statuses.map((status) => ({ data: { jobEvents: { jobId: id, status } } }))

describe.each(['GET', 'POST'] as const)('an event stream opened by %s', (method) => {
  test('carries each result as a next message with its cursor, in order', async () => {
    const stream = await openEventStream(gancho.origin, { query, method, token: clients.token })
    const id = await clients.tenant.postJob({ a: 1 })
    await until(() => stream.results().length === statuses.length, { what: 'results' })
    expect(stream.results()).toEqual(resultsOf(id))
    const next = stream.messages.filter(({ event }) => event === 'next')
    expect(new Set(next.map((message) => message.id)).size).toBe(statuses.length)
    stream.close()
  })
})

test('begins at once with the time to wait before a reconnect and a cursor, uncompressed and not to be kept', async () => {
  const raw = connectRaw(gancho.origin)
  const path = `/graphql?query=${encodeURIComponent(query)}`
  const head = `host: gancho\r\naccept: text/event-stream\r\naccept-encoding: gzip, br\r\nauthorization: Bearer ${clients.token}`
  raw.write(`GET ${path} HTTP/1.1\r\n${head}\r\n\r\n`)
  await until(() => raw.received().includes('\n\n'), { what: 'first message' })
  const [headers = '', body = ''] = raw.received().split('\r\n\r\n')
  expect(headers.toLowerCase().split('\r\n')).toEqual(
    expect.arrayContaining([
      'http/1.1 200 ok',
      'content-type: text/event-stream; charset=utf-8',
      'cache-control: no-cache, no-transform',
      'x-accel-buffering: no',
    ]),
  )
  expect(headers.toLowerCase()).not.toContain('content-encoding')
  expect(body).toMatch(/^\w+\r\nretry: \d{4}\nid: [\w-]+\n\n/)
  raw.destroy()
})

test('tells its current cursor while its filter matches nothing', async () => {
  const filter = { ids: ['ID-999999'] }
  const stream = await openEventStream(gancho.origin, { query, variables: { filter }, token: clients.token })
  await until(() => stream.messages.length > 0, { what: 'first message' })
  const first = stream.lastId()
  const id = await clients.tenant.postJob({ a: 1 })
  await until(() => stream.lastId() !== first, { what: 'a later cursor' })
  expect(stream.messages.every(({ event }) => event === undefined)).toBe(true)
  const lastEventId = stream.lastId()
  stream.close()
  // What came after that cursor, and nothing that came before it.
  const resumed = await openEventStream(gancho.origin, { query, lastEventId, token: clients.token })
  const later = await clients.tenant.postJob({ a: 1 })
  const delivered = () => resumed.raw().includes(`"jobId":"${later}","status":"DELIVERED"`)
  await until(delivered, { what: 'the later job' })
  const known = resultsOf(id).map((result) => JSON.stringify(result))
  expect(resumed.results().filter((result) => !known.includes(JSON.stringify(result)))).toEqual(
    resultsOf(later),
  )
  resumed.close()
  await untilStatus(clients.tenant, id, 'DELIVERED')
})

test('is kept alive by comments where there is no cursor', async () => {
  const stream = await openEventStream(gancho.origin, { query: 'subscription { queueStats { name } }' })
  await until(() => stream.messages.filter(({ comment }) => comment).length >= 2, { what: 'comments' })
  expect(stream.raw()).toMatch(/^retry: \d{4}\n\n/)
  expect(stream.raw()).toContain('\n\n:\n\n')
  expect(stream.lastId()).toBeUndefined()
  stream.close()
})

test('goes on after Last-Event-ID, whatever the operation says of after', async () => {
  const stream = await openEventStream(gancho.origin, { query, token: clients.token })
  const id = await clients.tenant.postJob({ a: 1 })
  await until(() => stream.results().length === statuses.length, { what: 'results' })
  stream.close()
  const [first, second] = stream.messages.filter(({ event }) => event === 'next')
  const resumed = await openEventStream(gancho.origin, {
    query,
    variables: { after: first?.id },
    lastEventId: second?.id,
    token: clients.token,
  })
  await until(() => resumed.results().length === 2, { what: 'what is left' })
  expect(resumed.results()).toEqual(resultsOf(id).slice(2))
  resumed.close()
})

describe('refused before a stream begins, in the form of every error:', () => {
  const opened = async (options: Partial<Parameters<typeof openEventStream>[1]>) => {
    const stream = await openEventStream(gancho.origin, { query, token: clients.token, ...options })
    await stream.ended
    const { errors } = JSON.parse(stream.raw())
    return [stream.status, stream.headers['content-type'], errors[0].extensions.code]
  }
  const json = 'application/json; charset=utf-8'

  test.each([
    ['no token', { token: null }, [401, json, 'UNAUTHENTICATED']],
    ['a wrong token', { token: 'gnt_wrong' }, [401, json, 'UNAUTHENTICATED']],
    ['a field that is not there', { query: 'subscription { no }' }, [400, json, 'GRAPHQL_VALIDATION_FAILED']],
    ['no operation', { query: '{' }, [400, json, 'GRAPHQL_PARSE_FAILED']],
    ['a cursor that is none', { lastEventId: 'nonsense' }, [400, json, 'INVALID_CURSOR']],
    [
      'a mutation by GET',
      { query: 'mutation { createStreamTicket { ticket } }' },
      [405, json, 'METHOD_NOT_ALLOWED'],
    ],
    ['another one’s jobs', { variables: { filter: { cnpj: '00000000000191' } } }, [403, json, 'FORBIDDEN']],
    [
      'more statuses than there are',
      { variables: { filter: { statuses: Array(21).fill('FAILED') } } },
      [400, json, 'BAD_REQUEST'],
    ],
    [
      'more than a message may hold',
      { method: 'POST', variables: { filter: { eventType: 'x'.repeat(65_536) } } },
      [413, json, 'BODY_TOO_LARGE'],
    ],
  ] as const)('%s', async (_what, options, expected) => {
    expect(await opened(options)).toEqual(expected)
  })

  test('a body that is no JSON, and one that is too large', async () => {
    const post = { method: 'POST' as const }
    expect(await opened({ ...post, headers: { 'content-type': 'text/plain' } })).toEqual([
      415,
      json,
      'UNSUPPORTED_MEDIA_TYPE',
    ])
    const long = `${query} #${'x'.repeat(3_000_000)}`
    expect(await opened({ ...post, query: long })).toEqual([413, json, 'BODY_TOO_LARGE'])
  })
})

describe('a query', () => {
  const viewer = { query: '{ viewer { name } }' }

  test('is answered as JSON where that is accepted too', async () => {
    const accept = 'application/graphql-response+json, application/json, text/event-stream;q=0.9'
    const answer = await clients.tenant.call('POST', '/graphql', viewer, { accept })
    expect(answer.body).toEqual({ data: { viewer: { name: 'Test' } } })
    expect(answer.headers.get('content-type')).toContain('application/graphql-response+json')
  })

  test('is one message and the end where it is not', async () => {
    const stream = await openEventStream(gancho.origin, { ...viewer, method: 'POST', token: clients.token })
    await stream.ended
    expect(stream.raw()).toBe(
      'event: next\ndata: {"data":{"viewer":{"name":"Test"}}}\n\nevent: complete\ndata:\n\n',
    )
  })
})

test('a subscription that is asked for as anything but a stream gets a clear refusal', async () => {
  for (const accept of [
    'application/json',
    'multipart/mixed;subscriptionSpec=1.0, application/json',
    '*/*',
  ]) {
    const { status, body } = await clients.tenant.call('POST', '/graphql', { query }, { accept })
    expect(status).toBe(406)
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }] })
  }
})

test('a stop tells every stream when to come back and from where', async () => {
  const own = await fleet.start('gateway')
  const streams = await Promise.all([
    openEventStream(own.origin, { query }),
    openEventStream(own.origin, { query, token: clients.token }),
  ])
  expect(await own.stop()).toBe(0)
  for (const stream of streams) {
    await stream.ended
    const { code, cursor, id, retry, completed } = endingOf(stream)
    expect([code, completed]).toEqual(['SHUTTING_DOWN', true])
    expect(cursor).toBe(id)
    expect(retry).toBeGreaterThanOrEqual(1_000)
  }
})
