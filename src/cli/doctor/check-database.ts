import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { newestVersion as newestOfOracle } from '../../storage/oracle/migrations.ts'
import { newestVersion as newestOfSqlite } from '../../storage/sqlite/migrations.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { DoctorSettings } from './settings.ts'

const name = 'Database'
const askVersion = 'SELECT MAX(version) AS version FROM schema_migrations'
const timeoutMs = 3_000

/** Whether the database of tenants and history answers, and has the schema of this version. Changes nothing in it. */
export async function checkDatabase({ database, dataDir }: DoctorSettings): Promise<Finding[]> {
  const path = join(dataDir, 'gancho.db')
  const what = database ? 'OracleDB' : `SQLite in ${path}`
  if (!database && !existsSync(path)) return [ok(name, `${what} is not there yet; the first start makes it`)]
  try {
    return [
      database
        ? judge(what, await oracleVersion(database), newestOfOracle)
        : judge(what, sqliteVersion(path), newestOfSqlite),
    ]
  } catch (error) {
    const advice = database
      ? 'see docs/oracle.md; correct DB_CONNECT, DB_USER, DB_PASS'
      : 'see who may read it, and its disk'
    return [fail(name, `${what} cannot be asked (${reasonOf(error)})`, advice)]
  }
}

function judge(what: string, found: number, newest: number): Finding {
  if (found === newest) return ok(name, `${what}, schema ${found}`)
  if (found > newest)
    return fail(
      name,
      `${what} has schema ${found}, and this version knows ${newest}`,
      'run the version of Gancho that made it, or a newer one',
    )
  return warn(
    name,
    `${what} has schema ${found}, and this version works on ${newest}`,
    'stop older processes, then start this one, which brings it up to date',
  )
}

function sqliteVersion(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true, timeout: timeoutMs })
  try {
    return Number(database.prepare(askVersion).get()?.version ?? 0)
  } finally {
    database.close()
  }
}

async function oracleVersion({ connect, user, password }: NonNullable<DoctorSettings['database']>) {
  // Here alone, so that nobody waits for the driver who does not use it.
  const { default: oracledb } = await import('oracledb')
  const pool = await oracledb.createPool({
    ...{ connectString: connect, user, password, poolMin: 0, poolMax: 1 },
    ...{ connectTimeout: timeoutMs / 1_000, queueTimeout: timeoutMs + 1_000 },
  })
  try {
    const connection = await pool.getConnection()
    connection.callTimeout = timeoutMs
    const { rows } = await connection.execute<[number | null]>(askVersion)
    await connection.close()
    return Number(rows?.[0]?.[0] ?? 0)
  } finally {
    await pool.close(0)
  }
}
