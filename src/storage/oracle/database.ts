import { setTimeout as delay } from 'node:timers/promises'
import oracledb from 'oracledb'
import { GanchoError } from '../../errors.ts'
import type { Binds, Row, SqlDatabase, Step } from '../sql.ts'
import { rowOf } from './bind-values.ts'
import { errorOfOracle, hung, isConnectionLost, isWorthRepeating } from './oracle-error.ts'
import { bindParameter, runStep } from './run-step.ts'

export type OracleOptions = {
  user: string
  password: string
  /** Easy Connect (`host:1521/service`, `tcps://…`) or a full descriptor. */
  connectString: string
  poolMax?: number
  /** How long a connection may take to come about. */
  connectTimeoutSeconds?: number
  /** How long a statement waits for a connection of the pool, connecting included. */
  queueTimeoutMs?: number
  /** How long one round trip may take before it is cancelled. */
  callTimeoutMs?: number
  closeTimeoutMs?: number
}

type Connection = oracledb.Connection
type Work<T> = (connection: Connection) => Promise<T>

/** Pauses before what failed quickly is tried again; nothing is once `repeatForMs` have passed, because somebody waits for it. */
const pausesMs = [50, 300]
const repeatForMs = 2_000

const unavailable = (cause: unknown) => new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })

/** LOBs come with their row, as text and bytes. */
const fetchTypeHandler = ({ dbType }: { dbType?: unknown }) => {
  if (dbType === oracledb.DB_TYPE_CLOB) return { type: oracledb.STRING }
  if (dbType === oracledb.DB_TYPE_BLOB) return { type: oracledb.BUFFER }
  return undefined
}

/**
 * A pool of connections to an OracleDB, opened as they are needed: this succeeds while the database is away. Works without Oracle's
 * client libraries (the driver's thin mode), with a server of 12.1 or newer. What failed before it changed anything is tried again
 * on another connection, within 2 s; a commit whose answer was lost never is, and throws DATABASE_UNAVAILABLE.
 */
export async function openOracle(options: OracleOptions): Promise<SqlDatabase> {
  const { callTimeoutMs = 15_000, closeTimeoutMs = 6_000 } = options
  const pool = await createPool(options, callTimeoutMs)
  const underWay = new Set<Promise<unknown>>()
  let closed = false

  /** The driver cancels a call that takes too long, and then waits for the server to say so: forever, when that hangs. */
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answer, 4 * callTimeoutMs)

  async function once<T>(work: Work<T>): Promise<T> {
    const connection = await pool.getConnection()
    let lost = false
    try {
      return await work(connection)
    } catch (error) {
      lost = isConnectionLost(error)
      throw error
    } finally {
      await release(connection, lost)
    }
  }

  async function release(connection: Connection, lost: boolean) {
    if (lost) void connection.close({ drop: true }).catch(() => {})
    // Closing rolls back what was not committed.
    else await answered(connection.close()).catch(() => {})
  }

  async function repeated<T>(work: Work<T>): Promise<T> {
    const start = performance.now()
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(work)
      } catch (error) {
        const pauseMs = pausesMs[attempt]
        const late = performance.now() - start > repeatForMs
        if (pauseMs === undefined || late || closed || !isWorthRepeating(error)) throw errorOfOracle(error)
        await delay(pauseMs)
      }
    }
  }

  function use<T>(work: Work<T>): Promise<T> {
    if (closed) return Promise.reject(unavailable(new Error('The database is closed.')))
    const result = repeated(work)
    underWay.add(result)
    const settled = () => underWay.delete(result)
    result.then(settled, settled)
    return result
  }

  async function transaction(steps: readonly Step[]): Promise<number[]> {
    return use(async (connection) => {
      const changes: number[] = []
      for (const step of steps) changes.push(await answered(runStep(connection, step)))
      await answered(connection.commit()).catch((error) => {
        throw unavailable(error)
      })
      return changes
    })
  }

  return {
    all: (sql, binds = {}) => use((connection) => answered(query(connection, sql, binds))),
    run: async (sql, binds = {}) => (await transaction([{ sql, rows: [binds] }]))[0] ?? 0,
    transaction,
    async close() {
      if (closed) return
      closed = true
      await within(Promise.allSettled(underWay), closeTimeoutMs).catch(() => {})
      await within(pool.close(0), closeTimeoutMs).catch(() => {})
    },
  }
}

async function createPool(options: OracleOptions, callTimeoutMs: number): Promise<oracledb.Pool> {
  const { user, password, connectString, poolMax = 8 } = options
  const { connectTimeoutSeconds = 3, queueTimeoutMs = 4_000 } = options
  try {
    return await oracledb.createPool({
      user,
      password,
      connectString,
      poolMin: 0,
      poolMax,
      connectTimeout: connectTimeoutSeconds,
      queueTimeout: queueTimeoutMs,
      stmtCacheSize: 60,
      // Minutes; has the system notice a server that vanished without a word.
      expireTime: 1,
      sessionCallback: (connection, _tag, done) =>
        prepareSession(connection, callTimeoutMs).then(() => done(), done),
    })
  } catch (error) {
    throw errorOfOracle(error)
  }
}

/** Texts are ordered and compared by their bytes, as the stores count on, whatever the server's language. */
async function prepareSession(connection: Connection, callTimeoutMs: number): Promise<void> {
  connection.callTimeout = callTimeoutMs
  await connection.execute("ALTER SESSION SET NLS_COMP = 'BINARY' NLS_SORT = 'BINARY'")
}

async function query(connection: Connection, sql: string, binds: Binds): Promise<Row[]> {
  const bound = Object.fromEntries(Object.entries(binds).map(([name, value]) => [name, bindParameter(value)]))
  const { rows = [], metaData = [] } = await connection.execute<unknown[]>(sql, bound, {
    outFormat: oracledb.OUT_FORMAT_ARRAY,
    fetchTypeHandler,
    fetchArraySize: 500,
  })
  const columns = metaData.map(({ name }) => name)
  return rows.map((values) => rowOf(columns, values))
}

/** What the driver would say of a connection without a server behind it. */
const noAnswer = (ms: number) => Object.assign(new Error(`No answer within ${ms} ms.`), { code: hung })

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(noAnswer(ms)), ms)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
