import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, expect, test } from 'vitest'
import { attempt } from '../../src/delivery/attempt.ts'
import { createHttpClient } from '../../src/delivery/http-client.ts'
import { type Receiver, startRawReceiver, startReceiver } from '../support/receiver.ts'

const client = createHttpClient({ connectTimeoutMs: 5000 })
const receivers: Receiver[] = []
const opened = async (starting: Promise<Receiver>) => {
  const receiver = await starting
  receivers.push(receiver)
  return receiver
}
const send = (url: string, body: Buffer | string = 'hello', headers: Record<string, string> = {}) =>
  attempt(client, { url, headers, body: Buffer.from(body) }, { timeoutMs: 10_000 })

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())))
afterAll(() => client.close())

test('a 200 is recorded whole: both headers, body, start and timings', async () => {
  const receiver = await opened(
    startReceiver((response) =>
      response.writeHead(200, { 'x-reply': ['a', 'b'], 'set-cookie': 's=1' }).end('obrigação'),
    ),
  )
  const before = Date.now()
  const result = await send(receiver.url, 'hello', { 'webhook-id': 'e_d', authorization: 'Bearer secret' })
  expect(result).toMatchObject({
    outcome: { kind: 'answered', status: 200, retryAfterMs: null },
    responseBody: 'obrigação',
    bodyError: null,
    responseHeaders: { 'x-reply': ['a', 'b'], 'set-cookie': '***' },
  })
  expect(result.requestHeaders).toEqual({
    host: `127.0.0.1:${receiver.port}`,
    'content-length': '5',
    'webhook-id': 'e_d',
    authorization: '***',
  })
  expect(receiver.received[0]).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer secret' } })
  expect(result.startedAt).toBeGreaterThanOrEqual(before)
  expect(result.startedAt).toBeLessThanOrEqual(Date.now())
  const { timing } = result
  expect(timing).toMatchObject({ dnsMs: null, tlsMs: null, socketReused: false })
  expect(timing.connectMs).toBeGreaterThanOrEqual(0)
  expect(timing.firstByteMs).toBeGreaterThan(0)
  // Each phase is rounded to a tenth.
  expect(timing.totalMs + 0.2).toBeGreaterThanOrEqual(Number(timing.connectMs) + Number(timing.firstByteMs))
})

test('the look-up of a host name is timed', async () => {
  const receiver = await opened(startReceiver((response) => response.end()))
  const { timing } = await send(`http://localhost:${receiver.port}/`)
  expect(timing.dnsMs).toBeGreaterThanOrEqual(0)
  expect(timing.connectMs).toBeGreaterThanOrEqual(0)
})

test('path and query of the URL are kept', async () => {
  const receiver = await opened(startReceiver((response) => response.end()))
  await send(`${receiver.url}a%20b/c?x=1&y=%C3%A7#part`)
  expect(receiver.received[0]?.path).toBe('/a%20b/c?x=1&y=%C3%A7')
})

test('a body arrives byte for byte, with its content type and length', async () => {
  const receiver = await opened(startReceiver((response) => response.end()))
  const body = randomBytes(300_000)
  await send(receiver.url, body, { 'content-type': 'application/octet-stream' })
  expect(receiver.received[0]?.body.equals(body)).toBe(true)
  expect(receiver.received[0]?.headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': '300000',
  })
})

test('an empty body is sent as one, and an empty answer is an empty text', async () => {
  const receiver = await opened(startReceiver((response) => response.writeHead(204).end()))
  const result = await send(receiver.url, '')
  expect(receiver.received[0]?.headers['content-length']).toBe('0')
  expect(receiver.received[0]?.headers).not.toHaveProperty('content-type')
  expect(result).toMatchObject({ outcome: { status: 204 }, responseBody: '', bodyError: null })
})

test('a redirect is an answer and is not followed', async () => {
  const receiver = await opened(
    startReceiver((response) => response.writeHead(307, { location: '/elsewhere' }).end()),
  )
  const result = await send(receiver.url)
  expect(result).toMatchObject({ outcome: { status: 307 }, responseHeaders: { location: '/elsewhere' } })
  expect(receiver.received).toHaveLength(1)
})

test('Retry-After is understood as seconds and as a date', async () => {
  const now = Date.UTC(2026, 10, 22, 12, 0, 0)
  let retryAfter = '17'
  const receiver = await opened(
    startReceiver((response) => response.writeHead(503, { 'retry-after': retryAfter }).end()),
  )
  const request = { url: receiver.url, headers: {}, body: Buffer.from('x') }
  const options = { timeoutMs: 10_000, now: () => now }
  expect((await attempt(client, request, options)).outcome).toMatchObject({
    status: 503,
    retryAfterMs: 17_000,
  })
  retryAfter = 'Sun, 22 Nov 2026 12:01:00 GMT'
  expect((await attempt(client, request, options)).outcome).toMatchObject({
    status: 503,
    retryAfterMs: 60_000,
  })
})

test('a 410 is an answer like any other', async () => {
  const receiver = await opened(startReceiver((response) => response.writeHead(410).end('gone')))
  expect(await send(receiver.url)).toMatchObject({
    outcome: { kind: 'answered', status: 410 },
    responseBody: 'gone',
  })
})

test('informational responses come before the answer, not instead of it', async () => {
  const receiver = await opened(
    startReceiver((response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.writeHead(201).end('made')
    }),
  )
  expect(await send(receiver.url)).toMatchObject({ outcome: { status: 201 }, responseBody: 'made' })
})

test('of a long answer the first 16 KiB are kept, the rest is read so that the connection can be used again', async () => {
  const receiver = await opened(startReceiver((response) => response.end('a'.repeat(500_000))))
  const first = await send(receiver.url)
  expect(first.responseBody).toBe('a'.repeat(16_384))
  expect(first.bodyError).toBeNull()
  await new Promise(setImmediate)
  expect((await send(receiver.url)).timing.socketReused).toBe(true)
})

test('an endless answer is cut off: still answered, memory bounded, connection closed', async () => {
  let written = 0
  const receiver = await opened(
    startReceiver((response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x'))) written += 65_536
      }
      response.on('drain', more)
      more()
    }),
  )
  const result = await send(receiver.url)
  expect(result).toMatchObject({
    outcome: { kind: 'answered', status: 200 },
    bodyError: 'stopped reading the response body after 1048576 bytes',
  })
  expect(result.responseBody).toHaveLength(16_384)
  await expect.poll(() => receiver.sockets.size).toBe(0)
  // What the two socket buffers hold was written, but never read.
  expect(written).toBeLessThan(32 * 1_048_576)
})

test('an answer just over the bound on a connection that closes after it harms nobody', async () => {
  const receiver = await opened(
    startReceiver((response) =>
      response.writeHead(200, { connection: 'close' }).end(Buffer.alloc(1_048_577, 'x')),
    ),
  )
  const result = await send(receiver.url)
  expect(result.outcome).toMatchObject({ kind: 'answered', status: 200 })
  expect((await send(receiver.url)).outcome).toMatchObject({ kind: 'answered', status: 200 })
})

test('an accepted event stays accepted when the body behind the 200 hangs', async () => {
  const receiver = await opened(startRawReceiver((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\npart')))
  const request = { url: receiver.url, headers: {}, body: Buffer.from('x') }
  const result = await attempt(client, request, { timeoutMs: 5_000 })
  expect(result).toMatchObject({
    outcome: { kind: 'answered', status: 200 },
    responseBody: 'part',
    bodyError: 'timeout after 5000 ms reading the response body',
  })
  await expect.poll(() => receiver.sockets.size).toBe(0)
})

test('a body that trickles byte by byte cannot hold an attempt beyond its deadline', async () => {
  const receiver = await opened(
    startReceiver((response) => {
      const trickle = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(trickle))
    }),
  )
  const request = { url: receiver.url, headers: {}, body: Buffer.from('x') }
  const result = await attempt(client, request, { timeoutMs: 5_000 })
  expect(result.bodyError).toBe('timeout after 5000 ms reading the response body')
  expect(result.responseBody).toMatch(/^\.+$/)
  expect(result.timing.totalMs).toBeLessThan(30_000)
})

test('an accepted event stays accepted when the connection breaks within the body', async () => {
  const receiver = await opened(
    startRawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart', () =>
        setImmediate(() => socket.resetAndDestroy()),
      )
    }),
  )
  const result = await send(receiver.url)
  expect(result).toMatchObject({ outcome: { kind: 'answered', status: 200 } })
  expect(result.bodyError).toMatch(/^ECONNRESET |^UND_ERR_SOCKET /)
})
