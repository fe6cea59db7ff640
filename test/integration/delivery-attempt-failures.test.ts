import { afterAll, afterEach, expect, test } from 'vitest'
import { attempt, type Outcome } from '../../src/delivery/attempt.ts'
import { createHttpClient } from '../../src/delivery/http-client.ts'
import { freePort } from '../support/free-port.ts'
import { type Receiver, startRawReceiver } from '../support/receiver.ts'

const client = createHttpClient({ connectTimeoutMs: 5000 })
const receivers: Receiver[] = []
const raw = async (onRequest: Parameters<typeof startRawReceiver>[0]) => {
  const receiver = await startRawReceiver(onRequest)
  receivers.push(receiver)
  return receiver
}
const send = (url: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}, headers = {}) =>
  attempt(client, { url, headers, body: Buffer.from('hello') }, { timeoutMs: 10_000, ...options })
const errorOf = (outcome: Outcome) =>
  outcome.kind === 'answered' ? `answered ${outcome.status}` : outcome.error
const failing = async (...args: Parameters<typeof send>) => errorOf((await send(...args)).outcome)

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())))
afterAll(() => client.close())

test('a refused connection names the code and the address, and nothing was answered', async () => {
  const port = await freePort()
  const result = await send(`http://127.0.0.1:${port}/`)
  expect(result.outcome).toEqual({ kind: 'unanswered', error: `ECONNREFUSED 127.0.0.1:${port}` })
  expect(result).toMatchObject({
    responseHeaders: null,
    responseBody: null,
    bodyError: null,
    timing: { connectMs: null, firstByteMs: null, socketReused: null },
  })
})

test('a host that does not exist is named', async () => {
  expect(await failing('http://nowhere.invalid/')).toMatch(/^(ENOTFOUND|EAI_AGAIN) nowhere\.invalid$/)
})

test('an address that is none, and one of another scheme, are outcomes too', async () => {
  expect(await failing('not a url')).toBe('ERR_INVALID_URL not a url')
  expect(await failing('ftp://127.0.0.1/')).toBe('ERR_INVALID_PROTOCOL ftp:')
})

test('a header that cannot be sent is named', async () => {
  const receiver = await raw(() => {})
  expect(await failing(receiver.url, {}, { 'x-bad': 'a\nb' })).toBe(
    'UND_ERR_INVALID_ARG invalid x-bad header',
  )
  expect(await failing(receiver.url, {}, { 'content-length': '99' })).toMatch(
    /^UND_ERR_REQ_CONTENT_LENGTH_MISMATCH /,
  )
})

test('a connection reset before the answer is unanswered', async () => {
  const receiver = await raw((socket) => socket.resetAndDestroy())
  expect(await failing(receiver.url)).toBe('ECONNRESET the receiver reset the connection')
})

test('a connection closed before or within the headers is unanswered', async () => {
  const silent = await raw((socket) => socket.end())
  expect(await failing(silent.url)).toBe('UND_ERR_SOCKET other side closed')
  const cut = await raw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'))
  expect(await failing(cut.url)).toBe('UND_ERR_SOCKET other side closed')
})

test('a receiver that never answers is given up at the deadline, and its connection closed', async () => {
  const receiver = await raw(() => {})
  const result = await send(receiver.url, { timeoutMs: 3_000 })
  expect(errorOf(result.outcome)).toBe('timeout after 3000 ms waiting for the response headers')
  expect(result.timing.firstByteMs).toBeNull()
  expect(result.timing.totalMs).toBeGreaterThan(2_990)
  expect(result.timing.totalMs).toBeLessThan(30_000)
  await expect.poll(() => receiver.sockets.size).toBe(0)
})

test('headers that trickle in do not move the deadline', async () => {
  const receiver = await raw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const trickle = setInterval(() => socket.write('x: y\r\n'), 20)
    socket.on('close', () => clearInterval(trickle))
  })
  expect(await failing(receiver.url, { timeoutMs: 3_000 })).toBe(
    'timeout after 3000 ms waiting for the response headers',
  )
})

test('headers larger than 16 KiB are refused', async () => {
  const receiver = await raw((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\n${`x-a: ${'y'.repeat(1000)}\r\n`.repeat(20)}\r\n`),
  )
  expect(await failing(receiver.url)).toBe('UND_ERR_HEADERS_OVERFLOW the response headers are too large')
  await expect.poll(() => receiver.sockets.size).toBe(0)
})

test('an answer that is not HTTP is unanswered', async () => {
  const receiver = await raw((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
  expect(await failing(receiver.url)).toContain('does not match the HTTP/1.1 protocol')
})

test('a switch of protocols that nobody asked for is unanswered', async () => {
  const receiver = await raw((socket) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  )
  expect(await failing(receiver.url)).toBe('UND_ERR_SOCKET bad upgrade')
})

test('a receiver that never finishes the TLS handshake ends at the connect timeout', async () => {
  const receiver = await raw(() => {})
  const impatient = createHttpClient({ connectTimeoutMs: 200 })
  const request = { url: `https://127.0.0.1:${receiver.port}/`, headers: {}, body: Buffer.from('x') }
  const result = await attempt(impatient, request, { timeoutMs: 20_000 })
  expect(errorOf(result.outcome)).toMatch(
    /^UND_ERR_CONNECT_TIMEOUT connect timeout .*127\.0\.0\.1:\d+.*200ms/,
  )
  expect(result.timing).toMatchObject({ tlsMs: null, firstByteMs: null, socketReused: null })
  await impatient.close()
})

test('the deadline also covers the connecting, and tells so', async () => {
  const receiver = await raw(() => {})
  const url = `https://127.0.0.1:${receiver.port}/`
  expect(await failing(url, { timeoutMs: 200 })).toBe('timeout after 200 ms connecting')
})

test('a shutdown ends a waiting attempt at once, and one that has not begun is not sent', async () => {
  const receiver = await raw(() => {})
  const shutdown = new AbortController()
  const running = send(receiver.url, { signal: shutdown.signal })
  await expect.poll(() => receiver.sockets.size).toBe(1)
  shutdown.abort()
  expect(errorOf((await running).outcome)).toBe('aborted: shutting down')
  await expect.poll(() => receiver.sockets.size).toBe(0)
  expect(await failing(receiver.url, { signal: shutdown.signal })).toBe('aborted: shutting down')
  expect(receiver.mostSockets()).toBe(1)
})

test('a closed client is an outcome, not an exception', async () => {
  const receiver = await raw(() => {})
  const closed = createHttpClient({ connectTimeoutMs: 1000 })
  const request = { url: receiver.url, headers: {}, body: Buffer.from('x') }
  const running = attempt(closed, request, { timeoutMs: 10_000 })
  await expect.poll(() => receiver.sockets.size).toBe(1)
  await closed.close()
  expect(errorOf((await running).outcome)).toMatch(/^UND_ERR_DESTROYED /)
  const later = await attempt(closed, request, { timeoutMs: 10_000 })
  expect(errorOf(later.outcome)).toMatch(/^UND_ERR_DESTROYED /)
})
