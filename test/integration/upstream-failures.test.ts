import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import type { Received } from '../support/receiver.ts'
import { startRawReceiver } from '../support/receiver.ts'
import { accessToken, apiKey, callbackUrl, json, upstreamsForFile } from '../support/upstream-server.ts'

const { keep, startServer, open } = upstreamsForFile()
type Response = Parameters<typeof json>[0]
const withCall = async (answer: (response: Response, received: Received) => void, settings = {}) => {
  const server = await startServer({ call: answer })
  return { server, ...open(server.origin, settings) }
}
const mebibyte = 1024 * 1024

test('the body goes out as the caller gave it, with its key and the callback URL', async () => {
  const { server, call } = await withCall((response) => json(response, 201, { id: 7 }))
  const body = Buffer.from('{ "amount": 1.50, "n": 12345678901234567890, "text": "São Paulo" }')
  expect(await call({ body, idempotencyKey: 'order 7/é' })).toMatchObject({ externalId: '7' })
  expect(server.calls[0]?.body).toEqual(body)
  expect(server.calls[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    'idempotency-key': 'order%207/%C3%A9',
    'x-callback-url': callbackUrl,
  })
})

test('without a body there is none, and a callback URL is told only where it is wanted', async () => {
  const quiet = await withCall((response) => json(response, 201, { id: 7 }), { callbackHeader: null })
  await quiet.call({ body: undefined })
  const [sent] = quiet.server.calls
  expect(String(sent?.body)).toBe('')
  expect(sent?.headers).not.toHaveProperty('content-type')
  expect(JSON.stringify(sent?.headers)).not.toContain(callbackUrl)
  const other = await withCall((response) => json(response, 201, { id: 7 }), { callbackHeader: 'X-Notify' })
  await other.call()
  expect(other.server.calls[0]?.headers['x-notify']).toBe(callbackUrl)
})

describe('an answer', () => {
  test.each([
    [400, 'UPSTREAM_REFUSED', false],
    [404, 'UPSTREAM_REFUSED', false],
    [409, 'UPSTREAM_REFUSED', true],
    [429, 'UPSTREAM_REFUSED', false],
    [302, 'UPSTREAM_ERROR', true],
    [500, 'UPSTREAM_ERROR', true],
    [503, 'UPSTREAM_ERROR', true],
  ])('%i is told with its status', async (status, code, maybeSent) => {
    const { server, call } = await withCall((response) => json(response, status, {}, { location: '/' }))
    expect(await call()).toMatchObject({ kind: 'failed', code, status, maybeSent })
    expect(server.calls).toHaveLength(1)
  })

  test.each([
    ['<html>', 'UPSTREAM_UNREADABLE'],
    ['', 'UPSTREAM_UNREADABLE'],
    ['{"id":"QR-1"', 'UPSTREAM_UNREADABLE'],
    ['{}', 'UPSTREAM_NO_ID'],
    ['{"id":null}', 'UPSTREAM_NO_ID'],
    ['[]', 'UPSTREAM_NO_ID'],
  ])('%j is %s, and may have been taken', async (text, code) => {
    const { call } = await withCall((response) => response.writeHead(200).end(text))
    expect(await call()).toMatchObject({ kind: 'failed', code, status: 200, maybeSent: true })
  })

  test('of a mebibyte is read, and one that is larger is not kept', async () => {
    const text = (bytes: number) => `{"id":"QR-1","pad":"${'x'.repeat(bytes - 22)}"}`
    expect(text(mebibyte)).toHaveLength(mebibyte)
    const fits = await withCall((response) => response.end(text(mebibyte)))
    expect(await fits.call()).toMatchObject({ kind: 'accepted', externalId: 'QR-1' })
    const huge = await withCall((response) => response.end(text(mebibyte + 1)))
    expect(await huge.call()).toMatchObject({ code: 'UPSTREAM_UNREADABLE', status: 200, maybeSent: true })
  })

  test('without an end is left after a mebibyte', async () => {
    const { server, call } = await withCall((response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await call()).toMatchObject({ code: 'UPSTREAM_UNREADABLE', status: 200 })
    await eventually(() => expect(server.sockets.size).toBeLessThanOrEqual(1))
  })

  test('that trickles in ends at the deadline', async () => {
    const { call } = await withCall(
      (response) => {
        response.writeHead(200)
        const trickle = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(trickle))
      },
      { timeoutMs: 5_000 },
    )
    expect(await call()).toMatchObject({ code: 'UPSTREAM_TIMEOUT', status: 200, maybeSent: true })
  })

  test('that breaks off may have been taken', async () => {
    const { server, call } = await withCall((response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"id":')
      setTimeout(() => response.destroy(), 20)
    })
    expect(await call()).toMatchObject({ code: 'UPSTREAM_UNREADABLE', status: 200, maybeSent: true })
    expect(server.calls).toHaveLength(1)
  })
})

describe('no answer', () => {
  test('comes in time: the call is over at its deadline and not repeated', async () => {
    const { server, call } = await withCall(() => {}, { timeoutMs: 5_000 })
    expect(await call()).toMatchObject({ code: 'UPSTREAM_TIMEOUT', status: null, maybeSent: true })
    expect(server.calls).toHaveLength(1)
  })

  test('is waited for when the caller has gone, nor is the call sent when he went before', async () => {
    const { server, call } = await withCall(() => {})
    const caller = new AbortController()
    const answer = call({ signal: caller.signal })
    await eventually(() => expect(server.calls).toHaveLength(1))
    caller.abort()
    expect(await answer).toMatchObject({ code: 'UPSTREAM_TIMEOUT', maybeSent: true })
    expect(await call({ signal: AbortSignal.abort() })).toMatchObject({ maybeSent: false })
    expect(server.calls).toHaveLength(1)
  })

  test('comes where nobody listens: the address is logged, and not told to callers', async () => {
    const port = await freePort()
    const { call, lines } = open(`http://127.0.0.1:${port}`, { tokenPath: null })
    const answer = await call()
    expect(answer).toEqual({
      kind: 'failed',
      code: 'UPSTREAM_UNREACHABLE',
      status: null,
      message: 'Upstream payments cannot be reached.',
      maybeSent: false,
    })
    expect(lines).toEqual(Array(3).fill(expect.stringContaining(`ECONNREFUSED 127.0.0.1:${port}`)))
  })

  test.each([
    ['after the request', Buffer.from('{}')],
    ['in the middle of the request', Buffer.alloc(8 * mebibyte, '1')],
  ])(
    'comes from a server that resets the connection %s: it may have been taken, and is not repeated',
    async (_when, body) => {
      let requests = 0
      const raw = keep(
        await startRawReceiver((socket) => {
          requests += 1
          socket.resetAndDestroy()
        }),
      )
      const { call } = open(raw.url.slice(0, -1), { tokenPath: null })
      expect(await call({ body })).toMatchObject({
        code: 'UPSTREAM_UNREACHABLE',
        status: null,
        maybeSent: true,
      })
      expect(requests).toBe(1)
    },
  )
})

describe('a call that had no effect', () => {
  test.each([429, 503])('is repeated with the same key after %i with Retry-After', async (status) => {
    const { server, call } = await withCall((response) =>
      server.calls.length === 1
        ? json(response, status, {}, { 'retry-after': '0' })
        : json(response, 201, { id: 'QR-2' }),
    )
    expect(await call({ idempotencyKey: 'mine' })).toMatchObject({ externalId: 'QR-2' })
    expect(server.calls.map(({ headers }) => headers['idempotency-key'])).toEqual(['mine', 'mine'])
  })

  test('is repeated twice at most', async () => {
    const { server, call } = await withCall((response) => json(response, 503, {}, { 'retry-after': '0' }))
    expect(await call()).toMatchObject({ code: 'UPSTREAM_ERROR', status: 503, maybeSent: false })
    expect(server.calls).toHaveLength(3)
  })

  test('is not repeated when it would have to wait beyond the deadline', async () => {
    const { server, call } = await withCall((response) => json(response, 503, {}, { 'retry-after': '11' }))
    expect(await call()).toMatchObject({ code: 'UPSTREAM_ERROR', status: 503, maybeSent: false })
    expect(server.calls).toHaveLength(1)
  })

  test('is repeated over a new connection when none came about', async () => {
    const port = await freePort()
    const { call } = open(
      `http://127.0.0.1:${port}`,
      { tokenPath: null },
      { repeatAfterMs: Array<number>(100).fill(50) },
    )
    const answer = call()
    const late = createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 201 Created\r\nconnection: close\r\n\r\n{"id":1}')),
    )
    late.listen(port, '127.0.0.1')
    expect(await answer).toMatchObject({ kind: 'accepted', externalId: '1' })
    late.close()
  })
})

test('no failure tells a secret, to the caller or to the log', async () => {
  const all = `${apiKey} ${accessToken} ${callbackUrl}`
  const echo = (status: number) => (response: Response) =>
    response.writeHead(status, { 'x-echo': all, location: callbackUrl }).end(`{"error":"${all}"`)
  const told: unknown[] = []
  for (const status of [200, 302, 400, 401, 500, 503]) {
    const { call, lines } = await withCall(echo(status))
    told.push(await call(), lines)
    const exchanging = await startServer({ token: echo(status) })
    const other = open(exchanging.origin)
    told.push(await other.call(), other.lines)
  }
  const raw = keep(await startRawReceiver((socket) => socket.end(`${all}\r\n`)))
  const { call, lines } = open(raw.url.slice(0, -1), { tokenPath: null })
  told.push(await call(), lines)
  expect(lines).toHaveLength(1)
  expect(JSON.stringify(told)).not.toContain('NOBODY-MAY-READ')
})

test('an upstream of some tenants allows only them', () => {
  const cnpj = '11222333000181'
  expect(open('http://127.0.0.1:9').upstream.allows(cnpj)).toBe(true)
  expect(open('http://127.0.0.1:9', { tenants: [cnpj] }).upstream.allows(cnpj)).toBe(true)
  expect(open('http://127.0.0.1:9', { tenants: ['12ABC34501DE35'] }).upstream.allows(cnpj)).toBe(false)
})
