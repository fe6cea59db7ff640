import { afterEach, expect, test } from 'vitest'
import { attempt } from '../../src/delivery/attempt.ts'
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../../src/delivery/http-client.ts'
import { freePort } from '../support/free-port.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { selfSignedCertificate } from '../support/self-signed-certificate.ts'

const toClose: { close(): Promise<void> }[] = []
const kept = <Closable extends { close(): Promise<void> }>(closable: Closable): Closable => {
  toClose.push(closable)
  return closable
}
const newClient = (options: Partial<HttpClientOptions> = {}) =>
  kept(createHttpClient({ connectTimeoutMs: 5000, ...options }))
const newReceiver = async (...args: Parameters<typeof startReceiver>) => kept(await startReceiver(...args))
const send = (client: HttpClient, url: string, timeoutMs = 10_000, headers = {}) =>
  attempt(client, { url, headers, body: Buffer.from('hello') }, { timeoutMs })
/** undici hands a connection back to its pool in the turn after the answer. */
const handedBack = () => new Promise(setImmediate)

afterEach(async () => {
  for (const closable of toClose.splice(0).reverse()) await closable.close()
})

test('the second request uses the connection of the first and has no connect phase', async () => {
  const receiver = await newReceiver((response) => response.end())
  const client = newClient()
  const first = await send(client, receiver.url)
  await handedBack()
  const second = await send(client, receiver.url)
  expect(first.timing.socketReused).toBe(false)
  expect(second.timing).toMatchObject({ socketReused: true, dnsMs: null, connectMs: null, tlsMs: null })
  expect(second.timing.firstByteMs).toBeGreaterThan(0)
  expect(receiver.mostSockets()).toBe(1)
})

test('a connection that the receiver closed after its answer is replaced, and the new one is timed', async () => {
  const receiver = await newReceiver((response) => response.writeHead(200, { connection: 'close' }).end())
  const client = newClient()
  await send(client, receiver.url)
  await expect.poll(() => receiver.sockets.size).toBe(0)
  const second = await send(client, receiver.url)
  expect(second.timing.socketReused).toBe(false)
  expect(second.timing.connectMs).toBeGreaterThanOrEqual(0)
})

test('TLS to a trusted authority works and is timed, once for each connection', async () => {
  const tls = selfSignedCertificate(['localhost', '127.0.0.1'])
  const receiver = await newReceiver((response) => response.end('safe'), tls)
  const client = newClient({ ca: tls.cert })
  const first = await send(client, `https://localhost:${receiver.port}/`)
  expect(first).toMatchObject({ outcome: { kind: 'answered', status: 200 }, responseBody: 'safe' })
  expect(first.timing.tlsMs).toBeGreaterThan(0)
  expect(first.timing.connectMs).toBeGreaterThanOrEqual(0)
  await handedBack()
  expect((await send(client, `https://localhost:${receiver.port}/`)).timing).toMatchObject({
    socketReused: true,
    tlsMs: null,
  })
  expect((await send(client, receiver.url)).outcome).toMatchObject({ kind: 'answered', status: 200 })
})

test('a certificate that is not trusted, or of another host, is refused before anything is sent', async () => {
  const tls = selfSignedCertificate(['other.example'])
  const receiver = await newReceiver((response) => response.end(), tls)
  const untrusted = await send(newClient(), receiver.url)
  expect(untrusted.outcome).toMatchObject({
    error: expect.stringMatching(/^DEPTH_ZERO_SELF_SIGNED_CERT self-signed certificate/),
  })
  expect(untrusted.timing).toMatchObject({ tlsMs: null, socketReused: null })
  expect(untrusted.timing.connectMs).toBeGreaterThanOrEqual(0)
  const misnamed = await send(newClient({ ca: tls.cert }), receiver.url)
  expect(misnamed.outcome).toMatchObject({
    error: expect.stringMatching(/^ERR_TLS_CERT_ALTNAME_INVALID IP: 127/),
  })
  expect(receiver.received).toHaveLength(0)
})

test('https to a port that speaks plain http says so', async () => {
  const receiver = await newReceiver((response) => response.end())
  const result = await send(newClient(), `https://127.0.0.1:${receiver.port}/`)
  expect(result.outcome).toMatchObject({
    error: expect.stringMatching(/^(ERR_SSL_\w+|EPROTO) .*wrong version number/),
  })
})

test('64 requests at once over 4 connections are all answered, never by more than 4 connections', async () => {
  const receiver = await newReceiver((response) => setTimeout(() => response.end(), 5))
  const client = newClient({ connectionsPerOrigin: 4 })
  const results = await Promise.all(Array.from({ length: 64 }, () => send(client, receiver.url)))
  expect(results.map((result) => result.outcome)).toEqual(
    Array(64).fill({ kind: 'answered', status: 200, retryAfterMs: null }),
  )
  expect(receiver.received).toHaveLength(64)
  expect(receiver.mostSockets()).toBe(4)
  expect(results.filter((result) => result.timing.socketReused === false)).toHaveLength(4)
})

test('a request that finds no free connection in time is given up without being sent, and blocks nobody later', async () => {
  const held: (() => void)[] = []
  const receiver = await newReceiver((response) => held.push(() => response.end()))
  const client = newClient({ connectionsPerOrigin: 1 })
  const first = send(client, receiver.url)
  await expect.poll(() => held.length).toBe(1)
  expect((await send(client, receiver.url, 100)).outcome).toEqual({
    kind: 'unanswered',
    error: 'timeout after 100 ms waiting for a free connection',
  })
  held.shift()?.()
  expect((await first).outcome.kind).toBe('answered')
  const third = send(client, receiver.url)
  await expect.poll(() => held.length).toBe(1)
  held.shift()?.()
  expect((await third).timing.socketReused).toBe(true)
  expect(receiver.received).toHaveLength(2)
})

test('requests that were refused for their headers do not use up the connections of an origin', async () => {
  const receiver = await newReceiver((response) => response.end())
  const client = newClient({ connectionsPerOrigin: 2 })
  for (let refused = 0; refused < 5; refused++) {
    const result = await send(client, receiver.url, 10_000, { 'x-bad': 'a\nb' })
    expect(result.outcome).toEqual({ kind: 'unanswered', error: 'UND_ERR_INVALID_ARG invalid x-bad header' })
  }
  expect((await send(client, receiver.url)).outcome).toMatchObject({ kind: 'answered', status: 200 })
})

test('failed connections do not use up the connections of an origin', async () => {
  const port = await freePort()
  const client = newClient({ connectionsPerOrigin: 2 })
  const results = await Promise.all(
    Array.from({ length: 20 }, () => send(client, `http://127.0.0.1:${port}/`)),
  )
  for (const { outcome } of results)
    expect(outcome).toEqual({ kind: 'unanswered', error: `ECONNREFUSED 127.0.0.1:${port}` })
  expect(client.originCount()).toBe(0)
})

test('an origin whose connections are closed is forgotten', async () => {
  const client = newClient()
  const receivers: Receiver[] = []
  for (let n = 0; n < 10; n++) receivers.push(await newReceiver((response) => response.end()))
  await Promise.all(receivers.flatMap(({ url }) => [send(client, url), send(client, url)]))
  expect(client.originCount()).toBe(10)
  for (const receiver of receivers) for (const socket of receiver.sockets) socket.destroy()
  await expect.poll(() => client.originCount()).toBe(0)
})
