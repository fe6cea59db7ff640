import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { endingOf, openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { openSocket, refusedUpgrade, socketUrl } from '../support/graphql-socket.ts'
import { alphanumericCnpj, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const query = 'subscription { jobEvents { __typename } }'
/** Within which a peer answers, also on a busy machine. */
const keepAliveMs = 5_000
const lettersCnpj = '11444777000161'

let fleet: Fleet
let gancho: GanchoProcess
let other: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  const env = { STREAM_KEEP_ALIVE_MS: String(keepAliveMs), MAX_STREAMS: '60', MAX_MESSAGE_BYTES: '4096' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  ;[gancho, other] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const setLimit = (cnpj: string, subscriptions: number) =>
  clients.admin.graphql(
    'mutation ($cnpj: CNPJ!, $n: Int) { updateTenant(cnpj: $cnpj, input: { limits: { subscriptions: $n } }) { cnpj } }',
    { cnpj, n: subscriptions },
  )
const codeOf = (frame: { payload?: unknown } | undefined) =>
  (frame?.payload as { extensions: { code: string } }[] | undefined)?.[0]?.extensions.code
const usedBy = async (tenant: typeof clients.tenant) => {
  const { viewer } = await tenant.graphql<{
    viewer: { limits: { name: string; used: number; max: number }[] }
  }>('{ viewer { limits { name used max } } }')
  return viewer.limits.find(({ name }) => name === 'subscriptions')
}

test('a socket has 50 operations, and a place for the next when one is over', async () => {
  const socket = await openSocket(gancho.origin)
  for (let n = 1; n <= 51; n++) socket.subscribe(String(n), query)
  const [refused] = await socket.until('error')
  expect([refused?.id, codeOf(refused)]).toEqual(['51', 'TOO_MANY_SUBSCRIPTIONS'])
  socket.send({ id: '7', type: 'complete' })
  const again = async () => {
    const before = socket.frames('error').length
    socket.subscribe(`again ${before}`, query)
    socket.subscribe(`viewer ${before}`, '{ viewer { kind } }')
    await until(() => socket.frames('error').length + socket.frames('complete').length > before, {
      what: 'an answer',
    })
    return socket.frames('error', `again ${before}`).length === 0
  }
  await until(again, { what: 'a free place' })
  socket.socket.close()
  await socket.closed
})

test('a tenant has as many subscriptions as its limit, on all instances and over both transports', async () => {
  await setLimit(numericCnpj, 2)
  const stream = await until(async () => {
    const opened = await openEventStream(other.origin, { query, token: clients.token })
    return opened.status === 200 && opened
  })
  const socket = await openSocket(gancho.origin, { token: clients.token })
  socket.subscribe('1', query)
  await until(async () => (await usedBy(clients.tenant))?.used === 2, { what: 'two places taken' })
  expect(await usedBy(clients.tenant)).toEqual({ name: 'subscriptions', used: 2, max: 2 })

  socket.subscribe('2', query)
  expect(codeOf((await socket.until('error'))[0])).toBe('TOO_MANY_SUBSCRIPTIONS')
  const refused = await openEventStream(gancho.origin, { query, token: clients.token })
  await refused.ended
  expect([refused.status, JSON.parse(refused.raw()).error.code]).toEqual([429, 'TOO_MANY_SUBSCRIPTIONS'])

  stream.close()
  await until(async () => (await usedBy(clients.tenant))?.used === 1, { what: 'a place given back' })
  socket.subscribe('3', query)
  await until(async () => (await usedBy(clients.tenant))?.used === 2, { what: 'it is taken again' })
  socket.socket.terminate()
  await until(async () => (await usedBy(clients.tenant))?.used === 0, { what: 'all places given back' })
})

test('a limit that is set while a socket is open holds for what it opens then', async () => {
  const tenant = await clientsOf(gancho, lettersCnpj)
  const socket = await openSocket(gancho.origin, { token: tenant.token })
  socket.subscribe('1', query)
  await until(async () => (await usedBy(tenant.tenant))?.used === 1, { what: 'a place taken' })
  await setLimit(lettersCnpj, 1)
  await until(async () => (await usedBy(tenant.tenant))?.max === 1, { what: 'the limit known' })
  socket.subscribe('2', query)
  expect(codeOf((await socket.until('error'))[0])).toBe('TOO_MANY_SUBSCRIPTIONS')
  socket.socket.terminate()
})

test('a socket leaves nothing behind, also when it used one id again and again while its operations were opened', async () => {
  const tenant = await clientsOf(gancho, unusedCnpj)
  const socket = await openSocket(gancho.origin, { token: tenant.token })
  for (let n = 0; n < 5; n++) {
    socket.subscribe('1', query)
    socket.send({ id: '1', type: 'complete' })
  }
  socket.subscribe('1', query)
  await until(() => socket.texts.some((text) => text.includes('"cursors":{"1":')), { what: 'opened' })
  await until(async () => (await usedBy(tenant.tenant))?.used === 1, { what: 'only the last one is left' })
  socket.socket.terminate()
  await until(async () => (await usedBy(tenant.tenant))?.used === 0, { what: 'all places given back' })
})

test('places of an instance that was killed come back when its leases end', async () => {
  const doomed = await fleet.start('gateway')
  const tenant = await clientsOf(doomed, alphanumericCnpj)
  await openEventStream(doomed.origin, { query, token: tenant.token })
  await doomed.kill9()
  const [entry] = await fleet.data.zrange(`{gancho}:streams:${alphanumericCnpj}`, '0', '-1')
  expect(entry).toBeDefined()
  // As if a minute had passed.
  await fleet.data.zadd(`{gancho}:streams:${alphanumericCnpj}`, '1', String(entry))
  await setLimit(alphanumericCnpj, 1)
  const stream = await openEventStream(gancho.origin, { query, token: tenant.token })
  expect(stream.status).toBe(200)
  stream.close()
})

/** Two sockets with as many streams as the process may have; `more` takes places that those of before gave back late. */
async function openMany() {
  const sockets = await Promise.all([openSocket(gancho.origin), openSocket(gancho.origin)])
  let opened = 0
  const more = (count = 1) => {
    for (const end = opened + count; opened < end; opened++)
      sockets[opened % 2]?.subscribe(`${opened}`, query)
  }
  more(60)
  const close = () => {
    for (const { socket } of sockets) socket.terminate()
  }
  return { more, close }
}

test('a process has as many streams as it is told', async () => {
  const many = await openMany()
  const full = async () => {
    many.more()
    const stream = await openEventStream(gancho.origin, { query })
    if (stream.status === 200) stream.close()
    else await stream.ended
    return stream.status === 503 && stream
  }
  const refused = await until(full, { what: 'a full process' })
  expect(JSON.parse(refused.raw()).error.code).toBe('TOO_MANY_STREAMS')
  expect(refused.headers['retry-after']).toBe('5')
  many.close()
})

test('a message that is too long ends the socket', async () => {
  const socket = await openSocket(gancho.origin)
  socket.subscribe('1', `${query} #${'x'.repeat(4_096)}`)
  expect((await socket.closed).code).toBe(1009)
})

test('who does not say who it is, is not waited for', async () => {
  const socket = await openSocket(gancho.origin, { init: false })
  expect(await socket.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' })
})

test('a peer that answers nothing is let go, one that answers stays', async () => {
  const [dead, alive] = await Promise.all([
    openSocket(gancho.origin, { autoPong: false }),
    openSocket(gancho.origin),
  ])
  expect((await dead.closed).code).toBe(1006)
  await alive.until('ping', 3)
  expect(alive.socket.readyState).toBe(alive.socket.OPEN)
  alive.socket.close()
})

test('an upgrade elsewhere is refused', async () => {
  expect(await refusedUpgrade(socketUrl(gancho.origin).replace('/graphql', '/webhook'))).toEqual({
    status: 404,
    code: 'NOT_FOUND',
  })
})

test('what passes is told within the stream to who came by a ticket, since a browser gives up on any other answer', async () => {
  const { createStreamTicket } = await clients.admin.graphql<{ createStreamTicket: { ticket: string } }>(
    'mutation { createStreamTicket { ticket } }',
  )
  const many = await openMany()
  const full = async () => {
    many.more()
    const stream = await openEventStream(gancho.origin, { query, ticket: createStreamTicket.ticket })
    await until(() => stream.messages.length > 0, { what: 'a message' })
    stream.close()
    return endingOf(stream).code !== undefined && stream
  }
  const stream = await until(full, { what: 'a full process' })
  expect(stream.status).toBe(200)
  const { code, completed, retry } = endingOf(stream)
  expect([code, completed, (retry ?? 0) >= 1_000]).toEqual(['TOO_MANY_STREAMS', true, true])
  many.close()
})
