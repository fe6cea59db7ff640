import { once } from 'node:events'
import { createConnection } from 'node:net'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'

let server: HttpServer
let port: number
beforeEach(async () => {
  server = createHttpServer({
    webhook: undefined,
    handle: (_request, response) => void response.end('ok'),
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

test('connections that bring nothing more hold it up for half a second', async () => {
  const connection = await openConnection()
  await connection.ask()
  const since = performance.now()
  await server.close(60_000)
  await connection.closed
  expect(performance.now() - since, 'ms').toBeLessThan(30_000)
})
