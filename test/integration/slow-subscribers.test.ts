import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { GanchoError } from '../../src/errors.ts'
import { persistedDocuments } from '../../src/graphql/persisted-documents.ts'
import { carryEventStream, endingOf } from '../../src/http/event-stream-connection.ts'
import { type SessionDeps, WebSocketSession } from '../../src/http/websocket-session.ts'
import type { Admitted } from '../../src/tenants/identity.ts'
import { until } from '../support/client.ts'
import { type FedStream, fedStream, opening } from '../support/fed-stream.ts'

const stallMs = 800
const big = 'x'.repeat(100_000)
const bigBatches = () =>
  fedStream((n) => ({ messages: [{ json: `{"data":{"n":${n},"big":"${big}"}}`, cursor: `c${n}` }] }))

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** An event stream of this source, over a connection that the test reads, or not. */
async function eventStreamOf(stream: FedStream, bounds: { stallMs?: number; lastWordsMs?: number } = {}) {
  const ending = Promise.withResolvers<Awaited<ReturnType<typeof carryEventStream>>>()
  const responses: ServerResponse[] = []
  const { port } = await listen((_request, response) => {
    responses.push(response)
    const vanishedPeers = { watch: () => () => undefined }
    const options = { keepAliveMs: 50, stallMs, ...bounds, vanishedPeers }
    carryEventStream(response, stream, endingOf(response).signal, 'r', options).then(ending.resolve)
  })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  closing.push(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  return { socket, responses, ending: ending.promise, closed: once(socket, 'close') }
}

/** A socket with one operation of this source, past graphql-ws. */
async function socketOf(stream: FedStream, keepAliveMs = 60_000) {
  const deps: SessionDeps = {
    identities: { ask: () => admin.principal, ofRequest: async () => admin },
    streams: { take: async () => () => undefined, watch: async () => () => undefined },
    openOperation: opening(stream),
    documents: persistedDocuments(),
    report: { resultMade: () => {}, opened: () => {}, ended: () => {} },
    log: pino({ level: 'silent' }),
    ...{ keepAliveMs, stallMs, maxOperations: 1 },
  }
  const { server, port } = await listen(() => undefined)
  const sockets = new WebSocketServer({ noServer: true })
  const opened = Promise.withResolvers<WebSocketSession>()
  server.on('upgrade', (request, connection, head) =>
    sockets.handleUpgrade(request, connection, head, (socket) => {
      const session = new WebSocketSession(deps, socket, request, connection)
      socket.once('close', () => session.closed())
      opened.resolve(session)
    }),
  )
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  client.on('error', () => undefined)
  await once(client, 'open')
  closing.push(() => client.terminate())
  const session = await opened.promise
  await session.admit(undefined)
  const results = await session.open('1', { query: 'subscription { any }' })
  const running = 'results' in results ? results.results.next() : Promise.reject(results)
  const [served] = sockets.clients
  if (!served) throw new Error('no socket is served')
  return { client, served, session, running }
}

const admin: Admitted = {
  claim: { identity: { kind: 'admin', name: 'admin' }, from: { headers: {}, socket: {} } },
  principal: { kind: 'admin', name: 'admin', access: 'full' },
}

describe('an event stream that is not read', () => {
  test('asks its source for no more than fits on the wire, and ends with its last cursor', async () => {
    const stream = bigBatches()
    // Time enough to read its end on a busy machine too.
    const { socket, ending, closed } = await eventStreamOf(stream, { lastWordsMs: 60_000 })
    socket.pause()
    const { error, cursor } = await ending
    expect([error?.code, cursor]).toEqual(['SLOW_CONSUMER', `c${stream.given() - 1}`])
    expect(stream.isClosed()).toBe(true)
    // What the systems of both sides hold is megabytes; a source without an end would have filled memory.
    expect(stream.given()).toBeLessThan(200)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.resume()
    await closed
    // Whoever reads on after all finds the end, and the cursor of what it got last.
    expect(text).toContain(`"code":"SLOW_CONSUMER","requestId":"r","cursor":"${cursor}"`)
    expect(text).toContain(`id: ${cursor}\n`)
    expect(text).toMatch(/event: complete\ndata:\n\n\r\n0\r\n\r\n$/)
  })

  test('is cut when not even its end can be written', async () => {
    const { socket, responses, ending } = await eventStreamOf(bigBatches())
    socket.pause()
    await ending
    const [response] = responses
    expect(response?.destroyed).toBe(false)
    await until(() => response?.destroyed, { what: 'the cut' })
    expect(response?.writableFinished).toBe(false)
  })

  test('goes on when it is read again in time', async () => {
    const stream = fedStream((n) =>
      n < 300 ? { messages: [{ json: `{"n":${n},"b":"${big}"}`, cursor: `c${n}` }] } : null,
    )
    const { socket, ending } = await eventStreamOf(stream, { stallMs: 100_000 })
    socket.pause()
    await until(() => stream.given() > 10, { what: 'some batches' })
    const stalledAt = stream.given()
    expect(stalledAt).toBeLessThan(300)
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.resume()
    expect(await ending).toEqual({ error: null, cursor: 'c299' })
    await until(() => bytes > 300 * big.length, { what: 'all bytes' })
  })

  test('ends at once when its source is sure to fail, also while nothing can be written', async () => {
    const stream = bigBatches()
    const { socket, ending } = await eventStreamOf(stream, { stallMs: 60_000 })
    socket.pause()
    let last = -1
    // It waits for its client once it asks for nothing more.
    await until(() => {
      const still = stream.given() === last
      last = stream.given()
      return still
    })
    stream.break(new GanchoError('SLOW_CONSUMER'))
    expect((await ending).error?.code).toBe('SLOW_CONSUMER')
  })
})

test('an event stream whose client is gone closes its source', async () => {
  const stream = fedStream(() => ({ messages: [{ json: '{}', cursor: 'c' }] }))
  const { socket, ending } = await eventStreamOf(stream)
  await once(socket, 'data')
  socket.destroy()
  expect((await ending).error).toBeNull()
  expect(stream.isClosed()).toBe(true)
})

describe('a socket that is not read', () => {
  test('asks its sources for no more than fits on the wire, tells their last cursors and ends', async () => {
    const stream = bigBatches()
    const { client, running } = await socketOf(stream)
    client.pause()
    await running
    expect(stream.given()).toBeLessThan(200)
    const texts: string[] = []
    client.on('message', (data) => texts.push(String(data).slice(0, 300)))
    client.resume()
    const [code, reason] = await once(client, 'close')
    expect([code, String(reason)]).toEqual([1013, 'SLOW_CONSUMER'])
    expect(JSON.parse(texts.at(-1) ?? '')).toMatchObject({
      ...{ id: '1', type: 'next' },
      payload: { errors: [{ extensions: { code: 'SLOW_CONSUMER', cursor: `c${stream.given() - 1}` } }] },
    })
    expect(stream.isClosed()).toBe(true)
  })

  test('is not read either while its answers pile up, and is when they are read', async () => {
    const { client, served, session } = await socketOf(fedStream(() => null))
    let heard = 0
    served.on('message', () => heard++)
    client.pause()
    await until(() => {
      session.send(big)
      return served.isPaused
    })
    expect(served.bufferedAmount).toBeLessThan(3_000_000)
    client.send('{"type":"ping"}')
    client.resume()
    await until(() => heard === 1, { what: 'it is read again' })
    expect(served.isPaused).toBe(false)
  })
})

test('a client on a socket is not taken for dead because the process stood still itself', async () => {
  const keepAliveMs = 400
  const { client, served } = await socketOf(
    fedStream(() => null),
    keepAliveMs,
  )
  await once(served, 'pong')
  // Both, so that nothing is heard of the client, which was not asked for longer than it may be silent.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * keepAliveMs)
  await Promise.race([once(served, 'pong'), once(client, 'close')])
  expect(client.readyState).toBe(WebSocket.OPEN)
})
