import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, expect, test } from 'vitest'
import { attempt } from '../../src/delivery/attempt.ts'
import { createHttpClient } from '../../src/delivery/http-client.ts'
import { type Receiver, startRawReceiver } from '../support/receiver.ts'

const client = createHttpClient({ connectTimeoutMs: 5000 })
const receivers: { close(): Promise<unknown> }[] = []
afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())))
afterAll(() => client.close())

const raw = async (onRequest: (socket: Socket) => void): Promise<Receiver> => {
  const receiver = await startRawReceiver(onRequest)
  receivers.push(receiver)
  return receiver
}
const send = (url: string, timeoutMs: number, body: Buffer = Buffer.from('hello')) =>
  attempt(client, { url, headers: {}, body }, { timeoutMs })

/** Attempts at a time. */
const together = 8

/**
 * Writes one text after the other, as fast as it is read, for as long as the connection is open, once all attempts have been answered
 * with `start`: what drowns an answer is not what this is about. Tells how much was written.
 */
function flood(start: string, more: string) {
  const written = { bytes: 0 }
  const begun = new Set<Socket>()
  const onRequest = (socket: Socket) => {
    if (begun.has(socket)) return
    begun.add(socket)
    socket.write(start)
    if (begun.size === together) for (const one of begun) pour(one)
  }
  const pour = (socket: Socket) => {
    const next = () => {
      // A turn of the loop in between, so that the test itself goes on.
      for (let i = 0; i < 64 && !socket.destroyed; i += 1) {
        written.bytes += more.length
        if (!socket.write(more)) return
      }
      if (!socket.destroyed) setImmediate(next)
    }
    socket.on('drain', next)
    setImmediate(next)
  }
  return { onRequest, written }
}
const letters = 'x'.repeat(16_000)

/** Neither the deadline nor memory gives way to a receiver that does not come to an end; every connection is closed. */
test.each([
  ['informational responses', '', 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n', null],
  ['a status line', 'HTTP/1.1 200 ', letters, null],
  ['the name of a header', 'HTTP/1.1 200 OK\r\n', letters, null],
  ['headers', 'HTTP/1.1 200 OK\r\n', 'x-a: b\r\n'.repeat(100), null],
  ['a body', 'HTTP/1.1 200 OK\r\n\r\n', letters, 200],
  ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'.repeat(1000), 200],
  ['a chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1'.repeat(1000), 200],
  ['a chunk extension', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', letters, 200],
  ['trailers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'x-a: b\r\n'.repeat(100), 200],
])('without an end: %s', async (_what, start, more, status) => {
  const { onRequest, written } = flood(start, more)
  const receiver = await raw(onRequest)
  const before = process.memoryUsage().rss
  const results = await Promise.all(Array.from({ length: together }, () => send(receiver.url, 2_000)))
  for (const { outcome, timing, responseBody } of results) {
    if (status === null) expect(outcome.kind).toBe('unanswered')
    else expect(outcome).toMatchObject({ kind: 'answered', status })
    expect(timing.totalMs).toBeLessThan(30_000)
    expect((responseBody ?? '').length).toBeLessThanOrEqual(16_384)
  }
  await expect.poll(() => receiver.sockets.size).toBe(0)
  expect(written.bytes).toBeGreaterThan(16_000)
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000)
})

test.each([
  ['an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
  ['a body', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n'],
])('one byte at a time, %s does not move the deadline', async (_what, text) => {
  const receiver = await raw((socket) => {
    let at = 0
    const timer = setInterval(() => socket.write(text[at++] ?? '.'), 30)
    socket.on('close', () => clearInterval(timer))
  })
  const begun = performance.now()
  const result = await send(receiver.url, 500)
  expect(result.outcome).toMatchObject({ kind: 'unanswered', error: expect.stringContaining('500 ms') })
  expect(performance.now() - begun).toBeLessThan(30_000)
  await expect.poll(() => receiver.sockets.size).toBe(0)
})

test('a receiver that takes the request and never reads its body is given up at the deadline', async () => {
  const server = createServer((socket) => {
    socket.pause()
    socket.on('error', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
  })
  receivers.push({
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  })
  const { port } = server.address() as { port: number }
  const result = await send(`http://127.0.0.1:${port}/`, 3_000, Buffer.alloc(32 * 1024 * 1024))
  expect(result.outcome).toEqual({
    kind: 'unanswered',
    error: 'timeout after 3000 ms waiting for the response headers',
  })
})

test('a reset while the body is still being sent is unanswered', async () => {
  const receiver = await raw((socket) => socket.resetAndDestroy())
  const result = await send(receiver.url, 5_000, Buffer.alloc(32 * 1024 * 1024))
  expect(result.outcome).toMatchObject({
    kind: 'unanswered',
    error: expect.stringMatching(/^(ECONNRESET|EPIPE) /),
  })
})

test('an answer that comes before the body was read counts', async () => {
  const receiver = await raw((socket) => {
    socket.pause()
    socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n')
  })
  const result = await send(receiver.url, 5_000, Buffer.alloc(32 * 1024 * 1024))
  expect(result.outcome).toMatchObject({ kind: 'answered', status: 413 })
})

test('a reset within the TLS handshake is unanswered', async () => {
  const receiver = await raw((socket) => socket.resetAndDestroy())
  const result = await send(`https://127.0.0.1:${receiver.port}/`, 5_000)
  expect(result.outcome).toMatchObject({ kind: 'unanswered', error: expect.stringMatching(/^ECONNRESET /) })
})

test('a second answer that nobody asked for is not taken for that of the next request', async () => {
  let requests = 0
  const receiver = await raw((socket) => {
    requests += 1
    const forged = requests === 1 ? 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged' : ''
    socket.write(`HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n${forged}`)
  })
  const first = await send(receiver.url, 5_000)
  const second = await send(receiver.url, 5_000)
  expect(first.outcome).toMatchObject({ status: 500 })
  expect(second.outcome).not.toMatchObject({ status: 200 })
})

test('a packed answer is not unpacked, however much it would become', async () => {
  const receiver = await raw((socket) => {
    const packed = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
    const headers = `content-encoding: gzip\r\ncontent-length: ${packed.length}`
    socket.write(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n`)
    socket.write(packed)
  })
  const result = await send(receiver.url, 5_000)
  expect(result).toMatchObject({ outcome: { status: 200 }, bodyError: null })
  expect(result.responseBody?.length).toBe(8)
})
