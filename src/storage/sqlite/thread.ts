// Entry of a database thread: the only place where SQLite is called, because its calls block.
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Binds, SqlValue, Step } from '../sql.ts'
import type {
  FollowingQuery,
  Table,
  ThreadAnswer,
  ThreadData,
  ThreadFailure,
  ThreadQuestion,
  ThreadRequest,
} from './thread-protocol.ts'

const { path, access, busyTimeoutMs } = workerData as ThreadData
const port = parentPort
if (!port) throw new Error('thread.ts runs as a worker thread only')

const sqliteBusy = 5
const opened: { database?: DatabaseSync } = {}
/** Statements have binds in place of values, so there are only as many texts as kinds of lists, and of what is asked for of each. */
const mostStatements = 500
const statements = new Map<string, StatementSync>()
type Placed = { placed: string; names: readonly string[] }
const places = new Map<string, Placed>()
const columnsOf = new WeakMap<StatementSync, string[]>()

const isBusy = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) % 256 === sqliteBusy

/** SQLite does not use its busy timeout while a file changes to WAL, which two processes may do at the same time. */
function enterWal(database: DatabaseSync) {
  const giveUpAt = Date.now() + busyTimeoutMs
  for (;;) {
    try {
      return database.exec('PRAGMA journal_mode = WAL')
    } catch (error) {
      if (!isBusy(error) || Date.now() > giveUpAt) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

/** Opens with the first request, so that a failure is that request's, and the next one tries again. */
function database(): DatabaseSync {
  if (opened.database) return opened.database
  const fresh = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true })
  try {
    enterWal(fresh)
    fresh.exec('PRAGMA synchronous = FULL')
    if (access === 'read') fresh.exec('PRAGMA query_only = ON')
  } catch (error) {
    fresh.close()
    throw error
  }
  opened.database = fresh
  return fresh
}

function statement(sql: string): StatementSync {
  const known = statements.get(sql)
  if (known) return known
  const prepared = database().prepare(sql)
  if (statements.size >= mostStatements) statements.clear()
  statements.set(sql, prepared)
  return prepared
}

/** Values by their places: node:sqlite takes longer to look one up by its name than SQLite to write it. */
function runStep({ sql, rows }: Step): number {
  let changes = 0
  const { placed, names } = placesOf(sql)
  const prepared = statement(placed)
  for (const binds of rows)
    changes += Number(prepared.run(...names.map((name) => bound(binds, name))).changes)
  return changes
}

function bound(binds: Binds, name: string): SqlValue {
  const value = binds[name]
  if (value === undefined) throw new Error(`Nothing is given for :${name}.`)
  return value
}

/** The statement with `?` for each `:name`, and the names in their order. What is between quotes stays. */
function placesOf(sql: string): Placed {
  const known = places.get(sql)
  if (known) return known
  const names: string[] = []
  const placed = sql.replace(/'[^']*'|:(\w+)/g, (all, name?: string) => {
    if (name === undefined) return all
    names.push(name)
    return '?'
  })
  if (places.size >= mostStatements) places.clear()
  places.set(sql, { placed, names })
  return { placed, names }
}

function transaction(steps: readonly Step[]): number[] {
  const db = database()
  db.exec('BEGIN IMMEDIATE')
  try {
    const changes = steps.map(runStep)
    db.exec('COMMIT')
    return changes
  } catch (error) {
    // Some errors (a full disk among them) have ended the transaction already.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function failureOf(error: unknown): ThreadFailure {
  const { message, errcode, stack } = error as { message?: string; errcode?: number; stack?: string }
  return { message: message ?? String(error), errcode: errcode ?? null, stack }
}

function table(sql: string, binds: Binds): Table {
  const prepared = statement(sql)
  const columns = columnsOf.get(prepared) ?? prepared.columns().map(({ name }) => name)
  columnsOf.set(prepared, columns)
  prepared.setReturnArrays(true)
  return { columns, rows: prepared.all(binds) as unknown as SqlValue[][] }
}

function tables(sql: string, binds: Binds, following: readonly FollowingQuery[] = []): Table[] {
  const first = table(sql, binds)
  const found = (column: string) => {
    const at = first.columns.indexOf(column)
    return JSON.stringify([...new Set(first.rows.map((row) => row[at]))])
  }
  return [first, ...following.map(({ sql, column }) => table(sql, { found: found(column) }))]
}

function answerTo(question: ThreadQuestion): ThreadAnswer {
  const { id } = question
  try {
    if (question.do === 'transaction') return { id, changes: transaction(question.steps) }
    database()
    return { id, tables: tables(question.sql, question.binds, question.following) }
  } catch (error) {
    return { id, failure: failureOf(error) }
  }
}

function close() {
  statements.clear()
  opened.database?.close()
  port?.close()
}

port.on('message', (request: ThreadRequest) => {
  if (request === 'close') return close()
  // One by one, because the next may take its time.
  for (const question of request) port.postMessage(answerTo(question))
})
