import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type EventStream, endingOf, openEventStream } from '../support/event-stream.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { type GraphqlSocket, openSocket } from '../support/graphql-socket.ts'
import { numericCnpj as cnpj } from '../support/tenants.ts'

const query = 'subscription { jobEvents { ... on JobStatusChanged { jobId status } } }'
/** A window that is closed now: a minute of yesterday. */
const closedWindow = () => {
  const yesterday = ['Sat', 'Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri'][new Date().getUTCDay()]
  return `${yesterday} 00:00-00:01 UTC`
}

/** By a message: an instance that is told of nothing asks again after minutes. */
const soonMs = 30_000

let fleet: Fleet
let one: GanchoProcess
let other: GanchoProcess
let admin: ReturnType<typeof clientOf>
let token: string
/** Of the tenant, at the instance that makes none of the changes; and the administrator's, which nothing of this concerns. */
let stream: EventStream
let socket: GraphqlSocket
let unconcerned: EventStream

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end('ok') })
  ;[one, other] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  admin = clientOf(one)
})
afterAll(() => fleet.close())

beforeEach(async () => {
  await admin.call('DELETE', `/admin/clientes/${cnpj}`)
  token = await admin.newTenant(cnpj)
  ;[stream, socket, unconcerned] = await Promise.all([
    openEventStream(other.origin, { query, token }),
    openSocket(other.origin, { token }),
    openEventStream(other.origin, { query }),
  ])
  socket.subscribe('1', query)
  // The socket does not say when its subscription has begun.
  const tenant = clientOf(one, token)
  const bothHaveOne = async () => {
    await tenant.postJob({ a: 1 })
    return stream.results().length > 0 && socket.frames('next').length > 0
  }
  await until(bothHaveOne, { what: 'a first result on both' })
  return async () => unconcerned.close()
})

const update = (input: string) =>
  admin.graphql(`mutation { updateTenant(cnpj: "${cnpj}", input: ${input}) { cnpj } }`)
const revoke = async () => {
  const { tenant } = await admin.graphql<{ tenant: { tokens: { id: string }[] } }>(
    `{ tenant(cnpj: "${cnpj}") { tokens { id } } }`,
  )
  await admin.graphql(
    `mutation { revokeTenantToken(cnpj: "${cnpj}", id: "${tenant.tokens[0]?.id}") { cnpj } }`,
  )
}

test.each([
  ['its token is revoked', revoke, 'UNAUTHENTICATED', 4401],
  [
    'its token is replaced',
    () => admin.graphql(`mutation { rotateTenantToken(cnpj: "${cnpj}") { token } }`),
    'UNAUTHENTICATED',
    4401,
  ],
  ['it is deleted', () => admin.call('DELETE', `/admin/clientes/${cnpj}`), 'UNAUTHENTICATED', 4401],
  ['it is deactivated', () => update('{ active: false }'), 'TENANT_INACTIVE', 4403],
  [
    'its hours are over',
    () => update(`{ accessWindow: "${closedWindow()}" }`),
    'OUTSIDE_ACCESS_WINDOW',
    4403,
  ],
  [
    'its address is not allowed',
    () => update('{ allowedAddresses: ["192.0.2.7"] }'),
    'ADDRESS_NOT_ALLOWED',
    4403,
  ],
])('a tenant’s streams end on the other instance as soon as %s', async (_what, change, code, closeCode) => {
  await change()
  const changedAt = Date.now()
  await stream.ended
  expect(await socket.closed).toEqual({ code: closeCode, reason: code })
  expect(Date.now() - changedAt).toBeLessThan(soonMs)
  const { cursor, ...ending } = endingOf(stream)
  expect(ending).toMatchObject({ code, completed: true, id: cursor })
  const [last, complete] = socket.texts.slice(-2).map((text) => JSON.parse(text))
  expect(last).toMatchObject({
    type: 'next',
    payload: { errors: [{ extensions: { code, cursor: expect.any(String) } }] },
  })
  expect(complete).toEqual({ id: '1', type: 'complete' })
  expect(unconcerned.messages.some(({ event }) => event === 'complete')).toBe(false)
})

describe('a token that is replaced with an overlap', () => {
  test('keeps its streams until the overlap is over, and no longer', async () => {
    const endsAt = Date.now() + 2_000
    const rotated = await admin.graphql<{ rotateTenantToken: { token: string } }>(
      `mutation { rotateTenantToken(cnpj: "${cnpj}", overlapSeconds: 2) { token } }`,
    )
    const newer = await openEventStream(other.origin, { query, token: rotated.rotateTenantToken.token })
    await stream.ended
    expect(Date.now()).toBeGreaterThan(endsAt - 100)
    expect(Date.now()).toBeLessThan(endsAt + soonMs)
    expect(endingOf(stream).code).toBe('UNAUTHENTICATED')
    expect((await socket.closed).reason).toBe('UNAUTHENTICATED')
    const id = await clientOf(one, rotated.rotateTenantToken.token).postJob({ a: 1 })
    await until(() => newer.raw().includes(id), { what: 'the stream by the new token' })
    newer.close()
  })
})
