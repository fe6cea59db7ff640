import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { openSocket, refusedUpgrade, socketUrl } from '../support/graphql-socket.ts'
import { connectRaw } from '../support/raw-http.ts'

const allowed = 'https://app.example.com'
const strange = 'https://evil.example.com'
const query = 'subscription { jobEvents { __typename } }'

let fleet: Fleet
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  const env = { ALLOWED_ORIGINS: `${allowed}, http://localhost:5173` }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  gancho = await fleet.start('gateway')
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

const preflight = (origin: string, path = '/graphql') =>
  fetch(`${gancho.origin}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,last-event-id',
    },
  })
const allowsOrigin = (response: Response) => response.headers.get('access-control-allow-origin')

describe('a page of an allowed origin', () => {
  test('may send what it needs to GraphQL, and read the answer', async () => {
    const asked = await preflight(allowed)
    expect([asked.status, allowsOrigin(asked)]).toEqual([204, allowed])
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET, POST')
    expect(asked.headers.get('access-control-allow-headers')?.split(', ')).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'last-event-id']),
    )
    expect(asked.headers.get('access-control-allow-credentials')).toBeNull()
    const answered = await clients.tenant.call(
      'POST',
      '/graphql',
      { query: '{ viewer { kind } }' },
      { origin: allowed },
    )
    expect(answered.headers.get('access-control-allow-origin')).toBe(allowed)
    expect(answered.headers.get('access-control-expose-headers')).toContain('x-request-id')
    expect(answered.headers.get('vary')).toContain('Origin')
  })

  test('may read refusals, and streams', async () => {
    const refused = await fetch(`${gancho.origin}/graphql`, { method: 'POST', headers: { origin: allowed } })
    expect([refused.status, allowsOrigin(refused)]).toEqual([401, allowed])
    const stream = await openEventStream(gancho.origin, { query, headers: { origin: allowed } })
    expect(stream.headers['access-control-allow-origin']).toBe(allowed)
    stream.close()
  })

  test('may not use anything else', async () => {
    expect(allowsOrigin(await preflight(allowed, '/webhook'))).toBeNull()
  })
})

test('a page of another origin gets no permission', async () => {
  expect(allowsOrigin(await preflight(strange))).toBeNull()
  const { headers } = await clients.tenant.call(
    'POST',
    '/graphql',
    { query: '{ viewer { kind } }' },
    { origin: strange },
  )
  expect([headers.get('access-control-allow-origin'), headers.get('vary')?.includes('Origin')]).toEqual([
    null,
    true,
  ])
})

describe('a WebSocket', () => {
  const host = () => new URL(gancho.origin).host

  test.each([
    ['without an origin', () => undefined],
    ['of an allowed origin', () => allowed],
    ['of the second allowed origin', () => 'http://localhost:5173'],
    ['of the same host', () => `http://${host()}`],
    ['of the same host behind TLS', () => `https://${host()}`],
  ])('is opened by a client %s', async (_what, origin) => {
    const from = origin()
    const { socket } = await openSocket(gancho.origin, { headers: from ? { origin: from } : {} })
    socket.close()
  })

  test.each([strange, `${allowed}.evil.com`, 'null', 'http://127.0.0.1', 'nonsense'])(
    'is refused to a page of %s',
    async (origin) => {
      const headers = { origin, authorization: `Bearer ${adminToken}` }
      expect(await refusedUpgrade(socketUrl(gancho.origin), headers)).toEqual({
        status: 403,
        code: 'ORIGIN_NOT_ALLOWED',
      })
    },
  )
})

test('a client that offers another protocol is answered in this one', async () => {
  const raw = connectRaw(gancho.origin)
  raw.write('GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n')
  expect(await raw.statuses(1)).toEqual([200])
  raw.destroy()
})
