import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket } from '../support/graphql-socket.ts'
import { type SendOver, transports } from '../support/graphql-transports.ts'
import { hostileDocuments } from '../support/hostile-documents.ts'
import { type Inspector, inspect, inspectable } from '../support/inspector.ts'

const names = ['HTTP', 'an event stream', 'a WebSocket'] as const
const hash = (text: string) => createHash('sha256').update(text).digest('hex')
const persisted = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })

let fleet: Fleet
let gateway: GanchoProcess
let inspector: Inspector
let token: string
let over: Record<(typeof names)[number], SendOver>

beforeAll(async () => {
  const env = { MAX_MESSAGE_BYTES: '200000' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  gateway = await fleet.start('gateway', inspectable)
  inspector = await inspect(gateway)
  token = (await clientsOf(gateway)).token
  over = transports({ origin: gateway.origin, token })
})
afterAll(async () => {
  inspector.close()
  await fleet.close()
})

describe.each(names)('over %s', (name) => {
  test.each(hostileDocuments)('$kind is refused with $code', async ({ query, variables, code, limit }) => {
    const refusals = await over[name]({ query, variables })
    expect(new Set(refusals.map((one) => one.code))).toEqual(new Set([code]))
    expect(refusals[0]).toMatchObject({ limit, hasRequestId: true })
    // What is wrong is told a few times, and nothing of what there is instead.
    expect(refusals.length).toBeLessThanOrEqual(11)
    expect(JSON.stringify(refusals)).not.toMatch(/did you mean/i)
  })

  test('an operation within the limits is served', async () => {
    const query = `query ($n: Int) { __typename jobs(first: $n) { edges { node {
      id status attempts { number statusCode timing { totalMs } } tenant { name } } } } }`
    expect(await over[name]({ query, variables: { n: 200 } })).toEqual([])
  })

  test('a document is named by its hash, once it was sent with it', async () => {
    const query = `{ viewer { kind } } # ${name}`
    expect(await over[name]({ query: '', ...persisted(hash(query)) })).toMatchObject([
      { code: 'PERSISTED_QUERY_NOT_FOUND', message: 'PersistedQueryNotFound' },
    ])
    expect(await over[name]({ query, ...persisted(hash(query)) })).toEqual([])
    for (const each of names) expect(await over[each]({ query: '', ...persisted(hash(query)) })).toEqual([])
    // Nobody can have another document stand for it.
    expect(await over[name]({ query: '{ viewer { kind } }', ...persisted(hash(query)) })).toMatchObject([
      { code: 'BAD_REQUEST' },
    ])
    expect(await over[name]({ query: '', ...persisted('x') })).toMatchObject([{ code: 'BAD_REQUEST' }])
  })
})

const request = (
  method: 'GET' | 'POST',
  accept: string,
  init: { query?: string; body?: string; type?: string },
) =>
  fetch(`${gateway.origin}/graphql${init.query ?? ''}`, {
    method,
    headers: {
      ...{ accept, authorization: `Bearer ${token}` },
      ...(init.body !== undefined && { 'content-type': init.type ?? 'application/json' }),
    },
    ...(init.body !== undefined && { body: init.body }),
  })
const codeOf = async (response: Response) =>
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code

describe.each(['application/json', 'text/event-stream'])('a request that accepts %s', (accept) => {
  const query = '{ viewer { kind } }'
  const mutation = encodeURIComponent('mutation { createStreamTicket { ticket } }')
  test('may be a GET with the hash of a document alone', async () => {
    const known = `{ viewer { name } } # ${accept}`
    expect(await over.HTTP({ query: known, ...persisted(hash(known)) })).toEqual([])
    const extensions = encodeURIComponent(JSON.stringify(persisted(hash(known)).extensions))
    const response = await request('GET', accept, { query: `?extensions=${extensions}` })
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"name":"Test"')])
  })

  test.each([
    ['a batch', 'POST', { body: JSON.stringify([{ query }, { query }]) }, 400, 'BAD_REQUEST'],
    ['a body that is no object', 'POST', { body: '"x"' }, 400, 'BAD_REQUEST'],
    ['null', 'POST', { body: 'null' }, 400, 'BAD_REQUEST'],
    ['a document that is no text', 'POST', { body: JSON.stringify({ query: 5 }) }, 400, 'BAD_REQUEST'],
    [
      'variables that are no object',
      'POST',
      { body: JSON.stringify({ query, variables: 'x' }) },
      400,
      'BAD_REQUEST',
    ],
    ['no JSON', 'POST', { body: '{"query"' }, 400, 'INVALID_JSON'],
    [
      'a form',
      'POST',
      { body: `query=${encodeURIComponent(query)}`, type: 'application/x-www-form-urlencoded' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'a text',
      'POST',
      { body: JSON.stringify({ query }), type: 'text/plain' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a mutation by GET', 'GET', { query: `?query=${mutation}` }, 405, 'METHOD_NOT_ALLOWED'],
    ['nothing', 'GET', {}, 400, 'BAD_REQUEST'],
  ] as const)('is refused: %s', async (_what, method, init, status, code) => {
    const response = await request(method, accept, init)
    expect([response.status, await codeOf(response)]).toEqual([status, code])
  })
})

test.each([
  ['a batch', [{ query: '{ viewer { kind } }' }]],
  ['a document that is no text', { query: 5 }],
])('a WebSocket is closed after a message that has %s', async (_what, payload) => {
  const client = await openSocket(gateway.origin, { token })
  client.send({ id: '1', type: 'subscribe', payload })
  expect((await client.closed).code).toBe(4400)
})

test('who sends one document after the other that is refused costs little time and no memory', async () => {
  const all = hostileDocuments.flatMap((one) => names.map((name) => () => over[name](one)))
  const round = async () => {
    for (const send of all) expect(await send()).not.toEqual([])
  }
  await round()
  const before = await inspector.memory()
  for (let i = 0; i < 2; i++) await round()
  const after = await inspector.memory()
  expect(after.held - before.held).toBeLessThan(5_000_000)
})
