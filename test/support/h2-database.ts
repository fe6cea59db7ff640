import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { boundValue, rowOf } from '../../src/storage/oracle/bind-values.ts'
import { errorOfOracle } from '../../src/storage/oracle/oracle-error.ts'
import type { Binds, Row, SqlDatabase, SqlValue, Step } from '../../src/storage/sql.ts'

/**
 * An empty database of an H2 server in Oracle mode, which takes the texts that the Oracle stores send. Two things are rewritten:
 * `:name` becomes `$1`, and bytes go and come as hexadecimal text, because H2 takes and sends them as characters. Strict where Oracle is: the
 * names of a text and those that are bound are the same, and none is a reserved word.
 */
export async function openH2(port: number, name = `mem:${randomUUID()}`): Promise<SqlDatabase> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'sa', password: 'sa', database: name })
  await client.connect()
  await client.query('SET MODE Oracle')
  // Else one that waits for another one's change gives up after two seconds, which a busy machine takes.
  await client.query('SET LOCK_TIMEOUT 60000')
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(() => awake(client, work()))
    last = result.catch(() => {})
    return result
  }

  async function query(sql: string, binds: Binds) {
    const { text, values } = positional(sql, binds)
    try {
      return await client.query({ text, values, rowMode: 'array', types: { getTypeParser } })
    } catch (error) {
      throw errorOfOracle(asOracleError(error))
    }
  }
  async function runStep({ sql, rows }: Step): Promise<number> {
    let changed = 0
    for (const binds of rows) changed += (await query(sql, binds)).rowCount ?? 0
    return changed
  }
  const transaction = (steps: readonly Step[]) =>
    inTurn(() =>
      steps.some(({ sql }) => changesTable.test(sql)) ? oneByOne(() => carryOut(steps)) : carryOut(steps),
    )
  const carryOut = async (steps: readonly Step[]) => {
    await client.query('BEGIN')
    try {
      const changes: number[] = []
      for (const step of steps) changes.push(await runStep(step))
      await client.query('COMMIT')
      return changes
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    }
  }
  return {
    all: (sql, binds = {}) =>
      inTurn(async () => {
        const { rows, fields } = await query(sql, binds)
        const columns = fields.map((field) => field.name)
        return rows.map((values: unknown[]) => withBytes(rowOf(columns, values)))
      }),
    run: async (sql, binds = {}) => (await transaction([{ sql, rows: [binds] }]))[0] ?? 0,
    transaction,
    close: () => client.end(),
  }
}

/** H2 fails inside when two connections change a table at once; to one after the other it says, as Oracle does, what is there already. */
const changesTable = /^\s*(ALTER|CREATE|DROP)\b/
let lastChange: Promise<unknown> = Promise.resolve()
function oneByOne<T>(work: () => Promise<T>): Promise<T> {
  const result = lastChange.then(work)
  lastChange = result.catch(() => {})
  return result
}

/**
 * H2 sends an answer in small pieces and leaves Nagle's algorithm on, so each would wait 40 ms for a delayed acknowledgement. The
 * protocol's Flush, which asks for nothing, carries one at once.
 */
async function awake<T>(client: pg.Client, work: Promise<T>): Promise<T> {
  const flush = setInterval(() => client.connection.stream.write(Buffer.from([0x48, 0, 0, 0, 4])), 1)
  try {
    return await work
  } finally {
    clearInterval(flush)
  }
}

const numericTypes = new Set([20, 21, 23, 700, 701, 1700])
const getTypeParser = (type: number) => (value: string) => (numericTypes.has(type) ? Number(value) : value)

const isBody = (column: string) => column === 'body'
const withBytes = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      isBody(column) && value !== null ? Buffer.from(String(value), 'hex') : value,
    ]),
  )

/** https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Oracle-SQL-Reserved-Words.html */
const reserved = new Set(
  `ACCESS ADD ALL ALTER AND ANY AS ASC AUDIT BETWEEN BY CHAR CHECK CLUSTER COLUMN COMMENT COMPRESS CONNECT CREATE CURRENT DATE
  DECIMAL DEFAULT DELETE DESC DISTINCT DROP ELSE EXCLUSIVE EXISTS FILE FLOAT FOR FROM GRANT GROUP HAVING IDENTIFIED IMMEDIATE IN
  INCREMENT INDEX INITIAL INSERT INTEGER INTERSECT INTO IS LEVEL LIKE LOCK LONG MAXEXTENTS MINUS MLSLABEL MODE MODIFY NOAUDIT
  NOCOMPRESS NOT NOWAIT NULL NUMBER OF OFFLINE ON ONLINE OPTION OR ORDER PCTFREE PRIOR PUBLIC RAW RENAME RESOURCE REVOKE ROW
  ROWID ROWNUM ROWS SELECT SESSION SET SHARE SIZE SMALLINT START SUCCESSFUL SYNONYM SYSDATE TABLE THEN TO TRIGGER UID UNION
  UNIQUE UPDATE USER VALIDATE VALUES VARCHAR VARCHAR2 VIEW WHENEVER WHERE WITH`.split(/\s+/),
)

function positional(sql: string, binds: Binds): { text: string; values: SqlValue[] } {
  const names: string[] = []
  const text = sql
    .replace(/:([a-z]\w*)/gi, (_, name: string) => {
      if (!names.includes(name)) names.push(name)
      const place = `$${names.indexOf(name) + 1}`
      return binds[name] instanceof Uint8Array ? `HEXTORAW(${place})` : place
    })
    .replace(/^SELECT n, body FROM/, 'SELECT n, RAWTOHEX(body) AS body FROM')
  const wrong = Object.keys(binds).filter((name) => !names.includes(name))
  const forbidden = names.filter((name) => reserved.has(name.toUpperCase()) || !(name in binds))
  if (wrong.length > 0 || forbidden.length > 0)
    throw new Error(`Oracle refuses the binds ${[...wrong, ...forbidden].join(', ')} of ${sql}`)
  return { text, values: names.map((name) => h2Value(binds[name] ?? null)) }
}

const h2Value = (value: SqlValue) =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : boundValue(value)

/** By H2's SQLSTATEs, which are those of the standard where it has one. */
const oracleCodes: Record<string, string> = {
  '23502': 'ORA-01400',
  '23503': 'ORA-02292',
  '23505': 'ORA-00001',
  '23506': 'ORA-02291',
  '23513': 'ORA-02290',
  '42S01': 'ORA-00955',
  '42S02': 'ORA-00942',
  '42S04': 'ORA-00942',
  '42S11': 'ORA-00955',
  '42S21': 'ORA-01430',
}

function asOracleError(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  // Two that make the same index at once.
  const code = /object already exists/.test(error.message) ? 'ORA-00955' : oracleCodes[String(error.code)]
  return code ? Object.assign(new Error(error.message, { cause: error }), { code }) : error
}
