import { once } from 'node:events'
import { createConnection } from 'node:net'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { until } from '../support/client.ts'

let server: HttpServer
let port: number
let asked: number
/** While there is one, requests are not answered. */
let gate: Promise<void> | undefined
beforeEach(async () => {
  ;[asked, gate] = [0, undefined]
  server = createHttpServer({
    webhook: undefined,
    handle: async (_request, response) => {
      asked += 1
      await gate
      response.end('ok')
    },
    requestTimeoutMs: 5_000,
    log: pino({ level: 'silent' }),
  })
  port = await server.listen(0, '127.0.0.1')
})
afterEach(() => server.close(0))

async function openConnection() {
  const socket = createConnection(port, '127.0.0.1')
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  const ask = async () => {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const [chunk] = await once(socket, 'data')
    return String(chunk)
  }
  return { ask, closed }
}

test('a server that closes answers a request on a connection that was open, and asks the sender to open another', async () => {
  const connection = await openConnection()
  expect(await connection.ask()).toMatch(/^HTTP\/1\.1 200.*connection: keep-alive/is)
  const closed = server.close(60_000)
  // At once: there is half a second for it.
  const answer = connection.ask()
  await expect(once(createConnection(port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED')
  expect(await answer).toMatch(/^HTTP\/1\.1 200.*connection: close/is)
  await connection.closed
  await closed
})

test('a request that was there before is answered however late, and its sender asked to open another connection', async () => {
  const connection = await openConnection()
  await connection.ask()
  const { promise, resolve: open } = Promise.withResolvers<void>()
  gate = promise
  const answer = connection.ask()
  await until(() => asked === 2, { what: 'the request' })
  const closed = server.close(60_000)
  open()
  expect(await answer).toMatch(/^HTTP\/1\.1 200.*connection: close/is)
  await connection.closed
  await closed
})

test('connections that bring nothing more hold it up for half a second', async () => {
  const connection = await openConnection()
  await connection.ask()
  const since = performance.now()
  await server.close(60_000)
  await connection.closed
  expect(performance.now() - since, 'ms').toBeLessThan(30_000)
})
