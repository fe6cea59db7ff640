import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { GanchoError } from '../../errors.ts'
import type { Query } from '../matching.ts'
import type { Binds, Row, SqlDatabase, SqlValue, Step } from '../sql.ts'
import { DatabaseThread } from './database-thread.ts'
import type { FollowingQuery, Table } from './thread-protocol.ts'

export type SqliteOptions = {
  path: string
  /** How long a statement waits for another process' lock. */
  busyTimeoutMs?: number
  closeTimeoutMs?: number
}

export type SqliteDatabase = SqlDatabase & {
  /** Rows of a query, and of those that follow it: one question to the thread, because each of them wakes it. */
  allOf(query: Query, following: readonly FollowingQuery[]): Promise<Row[][]>
}

/**
 * Opens an SQLite file in two threads of its own, so that no statement blocks the event loop and no long list delays a writer.
 * Several processes may share the file (WAL). The file is opened with the first statement.
 */
export function openSqlite(options: SqliteOptions): SqliteDatabase {
  const { path, busyTimeoutMs = 5_000, closeTimeoutMs = 6_000 } = options
  makeFolder(dirname(path))
  const common = { path, busyTimeoutMs, closeTimeoutMs }
  const reader = new DatabaseThread({ ...common, access: 'read' })
  const writer = new DatabaseThread({ ...common, access: 'write' })

  async function allOf({ sql, binds }: Query, following: readonly FollowingQuery[]): Promise<Row[][]> {
    const answer = await reader.ask({ do: 'all', sql, binds, following })
    return 'tables' in answer ? answer.tables.map(rowsOf) : []
  }
  async function all(sql: string, binds: Binds = {}): Promise<Row[]> {
    const [rows = []] = await allOf({ sql, binds }, [])
    return rows
  }
  async function transaction(steps: readonly Step[]): Promise<number[]> {
    const answer = await writer.ask({ do: 'transaction', steps })
    return 'changes' in answer ? answer.changes : []
  }
  async function run(sql: string, binds: Binds = {}): Promise<number> {
    const [changes = 0] = await transaction([{ sql, rows: [binds] }])
    return changes
  }
  async function close(): Promise<void> {
    // The writer last: whoever closes last folds the write-ahead log into the file, which a reader may not do.
    await reader.close()
    await writer.close()
  }
  return { all, allOf, run, transaction, close }
}

const rowsOf = ({ columns, rows }: Table) => rows.map((values) => rowOf(columns, values))

function rowOf(columns: readonly string[], values: readonly SqlValue[]): Row {
  const row: Row = {}
  for (let at = 0; at < columns.length; at++) row[columns[at] as string] = values[at] as SqlValue
  return row
}

function makeFolder(folder: string) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })
  }
}
