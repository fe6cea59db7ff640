import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { openStores } from '../../src/storage/open-stores.ts'
import { type OracleOptions, openOracle } from '../../src/storage/oracle/database.ts'
import type { SqlDatabase } from '../../src/storage/sql.ts'
import { freePort } from '../support/free-port.ts'

const account = { user: 'gancho', password: 'a secret that no error tells' }
const connectString = (port: number) => `127.0.0.1:${port}/gancho`
const cleanUps: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** A server that does with each connection what it is told to; `count` is how many there were. */
async function startServer(onConnection: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, count: () => sockets.length }
}

async function open(port: number, options: Partial<OracleOptions> = {}): Promise<SqlDatabase> {
  const database = await openOracle({ ...account, connectString: connectString(port), ...options })
  cleanUps.push(() => database.close())
  return database
}

/** How it fails, and after how long. */
async function failureOf(work: Promise<unknown>) {
  const start = performance.now()
  try {
    await work
  } catch (error) {
    const { code, cause, status } = error as { code: string; status: number; cause: { code: string } }
    expect(JSON.stringify([String(error), String(cause)])).not.toContain(account.password)
    return { code, status, cause: cause?.code, afterMs: performance.now() - start }
  }
  throw new Error('This was to fail.')
}

/** Whoever waited longer would wait for what a busy machine does not explain. */
const boundMs = 15_000
const ping = (database: SqlDatabase) => database.all('SELECT 1 AS one FROM dual')
const lost = { code: 'DATABASE_UNAVAILABLE', status: 503 }

/** A listener's REFUSE packet (TNS type 4). */
function refusal(oracleError: number): Buffer {
  const reason = Buffer.from(
    `(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR=${oracleError})(ERROR_STACK=(ERROR=(CODE=${oracleError})(EMFI=4))))`,
  )
  const packet = Buffer.alloc(12 + reason.length)
  packet.writeUInt16BE(packet.length, 0)
  packet.writeUInt8(4, 4)
  packet.writeUInt16BE(reason.length, 10)
  reason.copy(packet, 12)
  return packet
}

describe('an OracleDB', () => {
  test('where nothing listens fails at once, queries, changes and the start alike', async () => {
    const port = await freePort()
    const database = await open(port)
    for (const work of [ping(database), database.run('DELETE FROM jobs'), database.transaction([])]) {
      const failure = await failureOf(work)
      expect(failure).toMatchObject({ ...lost, cause: 'NJS-503' })
      expect(failure.afterMs).toBeLessThan(boundMs)
    }
    const started = openStores({ oracle: { ...account, connectString: connectString(port) } })
    expect(await failureOf(started)).toMatchObject({ ...lost, cause: 'NJS-503' })
  })

  test('that accepts and never answers fails at the connect timeout, once', async () => {
    const { port, count } = await startServer(() => {})
    const failure = await failureOf(ping(await open(port, { connectTimeoutSeconds: 2 })))
    expect(failure).toMatchObject({ ...lost, cause: 'NJS-510' })
    expect(failure.afterMs).toBeGreaterThan(1_900)
    expect(failure.afterMs).toBeLessThan(boundMs)
    expect(count()).toBe(1)
  })

  test('whose listener does not know the service yet is tried again, and a few times only', async () => {
    const { port, count } = await startServer((socket) =>
      socket.once('data', () => socket.write(refusal(12_514))),
    )
    const failure = await failureOf(ping(await open(port)))
    expect(failure).toMatchObject({ ...lost, cause: 'NJS-518' })
    expect(failure.afterMs).toBeLessThan(boundMs)
    expect(count()).toBe(3)
  })

  test('that hangs up is tried again, and a few times only', async () => {
    const { port, count } = await startServer((socket) => socket.once('data', () => socket.destroy()))
    const failure = await failureOf(ping(await open(port)))
    expect(failure).toMatchObject(lost)
    expect(failure.afterMs).toBeLessThan(boundMs)
    expect(count()).toBe(3)
  })

  test('whose pool is used up has no statement wait longer than it may', async () => {
    const { port } = await startServer(() => {})
    const database = await open(port, { poolMax: 1, connectTimeoutSeconds: 2, queueTimeoutMs: 500 })
    const failures = await Promise.all([1, 2, 3].map(() => failureOf(ping(database))))
    for (const failure of failures) {
      expect(failure).toMatchObject({ ...lost, cause: 'NJS-040' })
      expect(failure.afterMs).toBeLessThan(boundMs)
    }
  })

  test('that hangs does not hold up closing, after which everything is refused', async () => {
    const { port } = await startServer(() => {})
    const database = await open(port, { closeTimeoutMs: 300, connectTimeoutSeconds: 10 })
    const underWay = failureOf(ping(database))
    const first = Promise.race([
      database.close().then(() => 'closed'),
      underWay.then(() => 'connect timeout'),
    ])
    expect(await first).toBe('closed')
    expect(await failureOf(ping(database))).toMatchObject(lost)
    expect(await underWay).toMatchObject(lost)
    await database.close()
  })
})
