import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket, socketUrl } from '../support/graphql-socket.ts'
import { connectRaw } from '../support/raw-http.ts'

const statuses = ['RECEIVED', 'QUEUED', 'DELIVERING', 'DELIVERED']
const query = `subscription ($after: Cursor) { jobEvents(after: $after) {
  ... on JobStatusChanged { jobId status } ... on JobEventsGap { reason } } }`

let fleet: Fleet
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  // Within which a peer answers, also on a busy machine.
  const env = { STREAM_KEEP_ALIVE_MS: '5000' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  gancho = await fleet.start('all')
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const cursorOf = (frame: { payload?: unknown } | undefined) =>
  (frame?.payload as { extensions: { cursor: string } } | undefined)?.extensions.cursor
const codesOf = (payload: unknown) =>
  (payload as { extensions: { code: string } }[]).map(({ extensions }) => extensions.code)

test('the client of graphql-ws gets its results, and where each of them stands', async () => {
  let pinged: unknown
  const client = createClient({
    url: socketUrl(gancho.origin),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${clients.token}` },
    on: {
      ping: (_received, payload) => {
        pinged = payload?.cursors
      },
    },
  })
  const results = client.iterate<{ jobEvents: unknown }>({ query })
  const first = results.next()
  // It has subscribed once a ping says where it is.
  await until(() => Object.keys(pinged ?? {}).length === 1, { what: 'a cursor' })
  const id = await clients.tenant.postJob({ a: 1 })
  const got = [await first]
  while (got.length < statuses.length) got.push(await results.next())
  expect(got.map(({ value }) => value?.data)).toEqual(
    statuses.map((status) => ({ jobEvents: { jobId: id, status } })),
  )
  const cursors = got.map(({ value }) => value?.extensions?.cursor)
  expect(new Set(cursors).size).toBe(statuses.length)

  const resumed = client.iterate({ query, variables: { after: cursors[1] } })
  expect((await resumed.next()).value?.data).toEqual({ jobEvents: { jobId: id, status: 'DELIVERING' } })
  await results.return?.()
  await resumed.return?.()
  const used = 'query { viewer { limits { name used } } }'
  await until(async () => JSON.stringify(await clients.tenant.graphql(used)).includes('"used":0'))
  await client.dispose()
})

test('frames are the results as they were made, each with the id of its operation', async () => {
  const [one, other] = await Promise.all([openSocket(gancho.origin), openSocket(gancho.origin)])
  one.subscribe('a "quoted" id', query)
  other.subscribe('b', query)
  await Promise.all([one, other].map(({ until }) => until('ping')))
  await until(() => [one, other].every(({ texts }) => texts.some((text) => text.includes('"cursors":{"'))))
  const id = await clients.tenant.postJob({ a: 1 })
  await Promise.all([one, other].map((each) => each.until('next', statuses.length)))
  const [frame = ''] = other.texts.filter((text) => text.includes('"next"'))
  const cursor = cursorOf(other.frames('next')[0])
  expect(frame).toBe(
    `{"id":"b","type":"next","payload":{"data":{"jobEvents":{"jobId":"${id}","status":"RECEIVED"}},"extensions":{"cursor":"${cursor}"}}}`,
  )
  expect(one.frames('next', 'a "quoted" id').map((next) => next.payload)).toEqual(
    other.frames('next', 'b').map((next) => next.payload),
  )
  // A ping tells the same place as the last message.
  const last = cursorOf(other.frames('next').at(-1))
  await until(() => JSON.stringify(other.frames('ping').at(-1)).includes(`{"b":"${last}"}`))
  one.socket.close()
  other.socket.close()
})

test('an id is free again as soon as its client has completed it, while results flow', async () => {
  const socket = await openSocket(gancho.origin, { token: clients.token })
  const again = 'subscription { again: jobEvents { ... on JobStatusChanged { jobId status } } }'
  socket.subscribe('1:"one"', query)
  await until(() => socket.texts.some((text) => text.includes('"cursors":{"1:')))
  const id = await clients.tenant.postJob({ a: 1 })
  await socket.until('next', statuses.length)
  const pings = socket.frames('ping').length
  // In one go: the first is not over when the second begins.
  socket.send({ id: '1:"one"', type: 'complete' })
  socket.subscribe('1:"one"', again)
  await until(() =>
    socket
      .frames('ping')
      .slice(pings)
      .some(({ payload }) => Object.hasOwn((payload as { cursors: object }).cursors, '1:"one"')),
  )
  const next = await clients.tenant.postJob({ a: 2 })
  const frames = await socket.until('next', 2 * statuses.length)
  const data = (field: string, jobId: string) => statuses.map((status) => ({ [field]: { jobId, status } }))
  expect(frames.map(({ payload }) => (payload as { data: unknown }).data)).toEqual([
    ...data('jobEvents', id),
    ...data('again', next),
  ])
  expect(new Set(frames.map((frame) => frame.id))).toEqual(new Set(['1:"one"']))
  expect([socket.frames('complete'), socket.frames('error')]).toEqual([[], []])

  // After an error, and after a result, it is free too.
  for (const text of ['{', '{ viewer { kind } }', '{ viewer { name } }']) {
    const before = socket.frames('error').length + socket.frames('complete').length
    socket.subscribe('2', text)
    await until(() => socket.frames('error').length + socket.frames('complete').length > before)
  }
  expect(socket.texts.filter((text) => text.includes('"2"') && !text.includes('error'))).toEqual([
    '{"id":"2","type":"next","payload":{"data":{"viewer":{"kind":"TENANT"}}}}',
    '{"id":"2","type":"complete"}',
    '{"id":"2","type":"next","payload":{"data":{"viewer":{"name":"Test"}}}}',
    '{"id":"2","type":"complete"}',
  ])
  socket.subscribe('1:"one"', again)
  expect(await socket.closed).toEqual({ code: 4409, reason: 'Subscriber for 1:"one" already exists' })
})

test('queries and mutations are answered once', async () => {
  const socket = await openSocket(gancho.origin, { token: clients.token })
  socket.subscribe('1', '{ viewer { name } }')
  await socket.until('complete')
  expect(socket.frames('next', '1').map(({ payload }) => payload)).toEqual([
    { data: { viewer: { name: 'Test' } } },
  ])
  socket.subscribe('2', 'mutation { publishEvent(input: { payload: 1 }) { ids } }')
  await socket.until('complete', 2)
  expect(socket.frames('next', '2')[0]?.payload).toMatchObject({
    data: { publishEvent: { ids: [expect.stringMatching(/^ID-/)] } },
  })
  socket.socket.close()
})

test('what cannot be started is an error, and the socket stays', async () => {
  const socket = await openSocket(gancho.origin, { token: clients.token })
  socket.subscribe('1', 'subscription { no }')
  socket.subscribe('2', '{')
  socket.subscribe('3', query, { after: 'nonsense' })
  socket.subscribe('4', 'subscription { jobEvents(filter: { cnpj: "00000000000191" }) { __typename } }')
  const errors = await socket.until('error', 4)
  const codes = Object.fromEntries(errors.map(({ id, payload }) => [id, codesOf(payload)]))
  expect(codes).toEqual({
    1: ['GRAPHQL_VALIDATION_FAILED'],
    2: ['GRAPHQL_PARSE_FAILED'],
    3: ['INVALID_CURSOR'],
    4: ['FORBIDDEN'],
  })
  socket.subscribe('5', '{ viewer { kind } }')
  expect(await socket.until('complete')).toEqual([{ id: '5', type: 'complete' }])
  socket.socket.close()
})

describe('who it is', () => {
  const opened = async (payload?: Record<string, unknown>, headers = {}) => {
    const socket = await openSocket(gancho.origin, { init: false, headers })
    socket.send({ type: 'connection_init', ...(payload && { payload }) })
    return Promise.race([socket.closed, socket.until('connection_ack').then(() => socket.socket.terminate())])
  }

  test('a client says in its first message, or in the header of its upgrade', async () => {
    const authorization = `Bearer ${clients.token}`
    expect(await opened({ authorization })).toBeUndefined()
    expect(await opened({ Authorization: authorization })).toBeUndefined()
    expect(await opened(undefined, { authorization })).toBeUndefined()
  })

  test('is told to who is refused, as the reason of the end', async () => {
    const refused = { code: 4401, reason: 'UNAUTHENTICATED' }
    expect(await opened()).toEqual(refused)
    expect(await opened({ authorization: 'Bearer gnt_wrong' })).toEqual(refused)
    expect(await opened({ authorization: 7 })).toEqual(refused)
  })
})

test('a message that is none, a repeated id and a second init end the socket as the protocol says', async () => {
  const sockets = await Promise.all([1, 2, 3, 4].map(() => openSocket(gancho.origin)))
  const [nonsense, repeated, twice, early] = sockets
  nonsense?.send('nonsense')
  repeated?.subscribe('1', query)
  repeated?.subscribe('1', query)
  twice?.send({ type: 'connection_init' })
  early?.socket.terminate()
  const stranger = await openSocket(gancho.origin, { init: false })
  stranger.subscribe('1', query)
  const codes = [nonsense, repeated, twice, stranger].map(async (socket) => (await socket?.closed)?.code)
  expect(await Promise.all(codes)).toEqual([4400, 4409, 4429, 4401])
  const other = await openSocket(gancho.origin, { init: false, protocol: 'graphql-ws' }).catch(String)
  expect(other).toMatch(/subprotocol/)
})

test('a stop pings the last cursors and says that it goes away, completing nothing', async () => {
  const own = await fleet.start('gateway')
  const socket = await openSocket(own.origin)
  socket.subscribe('1', query)
  await until(() => socket.texts.some((text) => text.includes('"cursors":{"1":')))
  const before = socket.frames('ping').length
  const stopped = own.stop()
  expect(await socket.closed).toEqual({ code: 1001, reason: 'SHUTTING_DOWN' })
  expect(await stopped).toBe(0)
  expect(socket.frames('ping').length).toBeGreaterThan(before)
  expect(socket.frames('complete')).toEqual([])
})

test('a socket that does not answer its end does not hold up a stop', async () => {
  const own = await fleet.start('gateway', { SHUTDOWN_TIMEOUT_MS: '300' })
  const raw = connectRaw(own.origin)
  const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13'
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws'
  raw.write(`GET /graphql HTTP/1.1\r\nhost: a\r\n${upgrade}\r\n${key}\r\n\r\n`)
  expect(await raw.statuses(1)).toEqual([101])
  const begun = Date.now()
  expect(await own.stop()).toBe(0)
  expect(Date.now() - begun).toBeLessThan(30_000)
  await raw.ended
})

test('a worker takes no socket', async () => {
  const worker = await fleet.start('worker')
  await expect(openSocket(worker.origin)).rejects.toThrow('404')
})
