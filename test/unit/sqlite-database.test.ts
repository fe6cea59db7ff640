import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { openSqliteStores } from '../../src/storage/open-stores.ts'
import { ConstraintError, type SqlDatabase } from '../../src/storage/sql.ts'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { DatabaseThread } from '../../src/storage/sqlite/database-thread.ts'
import { migrate } from '../../src/storage/sqlite/migrations.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const unavailable = { name: 'GanchoError', code: 'DATABASE_UNAVAILABLE' }
const endless =
  'WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000000) SELECT count(*) FROM c'

describe('SQLite database', () => {
  let path: string
  let database: SqlDatabase
  beforeEach(async () => {
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    path = join(folder.path, 'made', 'on-the-way', 'test.sqlite')
    database = openSqlite({ path, busyTimeoutMs: 50, closeTimeoutMs: 60_000 })
    await database.run('CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB) STRICT')
  })
  afterEach(() => database.close())

  it('shows a read every write that was awaited before it', async () => {
    for (let x = 1; x <= 50; x++) {
      await database.run('INSERT INTO t (x) VALUES (:x)', { x })
      expect(await database.all('SELECT max(x) AS top FROM t')).toEqual([{ top: x }])
    }
  })

  it('answers a write while a long query runs', async () => {
    const order: string[] = []
    const slow = database.all(endless).then(() => order.push('query'))
    await database.run('INSERT INTO t (x) VALUES (1)').then(() => order.push('write'))
    await slow
    expect(order).toEqual(['write', 'query'])
  })

  it('undoes the whole transaction when one row breaks a constraint', async () => {
    const insert = 'INSERT INTO t (x) VALUES (:x)'
    const twice = database.transaction([{ sql: insert, rows: [{ x: 1 }, { x: 2 }, { x: 1 }] }])
    await expect(twice).rejects.toThrow(ConstraintError)
    expect(await database.all('SELECT x FROM t')).toEqual([])
    expect(await database.transaction([{ sql: insert, rows: [{ x: 1 }, { x: 2 }] }])).toEqual([2])
  })

  it('finds the values of a write by their names, and leaves alone what is between quotes', async () => {
    const sql = "INSERT INTO t (x, y) VALUES (:x, CAST(':x''s ' || :word || CAST(:x AS INTEGER) AS BLOB))"
    await database.transaction([
      {
        sql,
        rows: [
          { word: 'one', x: 1 },
          { x: 2, word: 'two' },
        ],
      },
    ])
    const rows = await database.all('SELECT CAST(y AS TEXT) AS y FROM t ORDER BY x')
    expect(rows).toEqual([{ y: ":x's one1" }, { y: ":x's two2" }])
    await expect(database.run(sql, { x: 3 })).rejects.toThrow(/:word/)
  })

  it('refuses to write through a query', async () => {
    await expect(database.all('INSERT INTO t (x) VALUES (1) RETURNING x')).rejects.toThrow()
    expect(await database.all('SELECT x FROM t')).toEqual([])
  })

  it('tells a faulty statement from a database that cannot be reached', async () => {
    const error = await database.all('SELECT nonsense').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toMatchObject(unavailable)
  })

  it('is unavailable while another process holds the file, and available again after', async () => {
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(database.run('INSERT INTO t (x) VALUES (1)')).rejects.toMatchObject(unavailable)
    expect(await database.all('SELECT x FROM t')).toEqual([])
    other.exec('ROLLBACK')
    other.close()
    expect(await database.run('INSERT INTO t (x) VALUES (1)')).toBe(1)
  })

  it('is unavailable after closing, which finishes what was asked before', async () => {
    const write = database.run('INSERT INTO t (x) VALUES (1)')
    const read = database.all(endless)
    await database.close()
    expect(await write).toBe(1)
    expect(await read).toHaveLength(1)
    await expect(database.all('SELECT 1')).rejects.toMatchObject(unavailable)
    await expect(database.run('DELETE FROM t')).rejects.toMatchObject(unavailable)
    await database.close()
  })
})

describe('a database thread', () => {
  async function fileIn(name: string, content: string) {
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const path = join(folder.path, name)
    await writeFile(path, content)
    return path
  }

  it('that dies fails what it was asked, and the next question gets a new one', async () => {
    const entry = await fileIn(
      'dies.mjs',
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', ([{ id, sql }]) => sql === 'die' ? process.exit(3) : parentPort.postMessage({ id, rows: [{ sql }] }))`,
    )
    const thread = new DatabaseThread({
      path: 'unused',
      access: 'read',
      busyTimeoutMs: 1,
      closeTimeoutMs: 50,
      entry: new URL(`file://${entry}`),
    })
    const die = thread.ask({ do: 'all', sql: 'die', binds: {} })
    const behind = thread.ask({ do: 'all', sql: 'behind', binds: {} })
    await expect(die).rejects.toMatchObject(unavailable)
    await expect(behind).rejects.toMatchObject(unavailable)
    expect(await thread.ask({ do: 'all', sql: 'alive', binds: {} })).toMatchObject({
      rows: [{ sql: 'alive' }],
    })
    // This one does not know how to close, so the bound ends it.
    await thread.close()
    await expect(thread.ask({ do: 'all', sql: 'closed', binds: {} })).rejects.toMatchObject(unavailable)
  })

  it('reports a file that is no database as unavailable', async () => {
    const path = await fileIn(
      'text.sqlite',
      'this is not a database, however long one looks at it'.repeat(100),
    )
    await expect(openSqliteStores({ path })).rejects.toMatchObject(unavailable)
  })

  it('reports a folder that cannot be made as unavailable', async () => {
    const path = await fileIn('a-file', '')
    await expect(openSqliteStores({ path: join(path, 'gancho.sqlite') })).rejects.toMatchObject(unavailable)
  })
})

describe('migrations', () => {
  it('run once, however many instances start on a new file at once', async () => {
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const path = join(folder.path, 'gancho.sqlite')
    const opened = await Promise.all(Array.from({ length: 6 }, () => openSqliteStores({ path })))
    const ids = await Promise.all(opened.map(({ history }) => history.id()))
    expect(new Set(ids).size).toBe(1)
    await Promise.all(opened.map((stores) => stores.close()))
    const again = await openSqliteStores({ path })
    expect(await again.history.id()).toBe(ids[0])
    await again.close()
  })

  it('leave nothing of a migration that fails half way', async () => {
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const path = join(folder.path, 'gancho.sqlite')
    const database = openSqlite({ path })
    onTestFinished(() => database.close())
    await database.run('CREATE TABLE job_bodies (in_the_way INTEGER) STRICT')
    await expect(migrate(database)).rejects.toThrow(/job_bodies/)
    expect(await database.all("SELECT name FROM sqlite_master WHERE name = 'jobs'")).toEqual([])
    await database.run('DROP TABLE job_bodies')
    await migrate(database)
    expect(await database.all('SELECT highest FROM history_meta')).toEqual([{ highest: 0 }])
  })
})

it('a second process may write the same file', async () => {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'gancho.sqlite')
  const database = openSqlite({ path, busyTimeoutMs: 60_000 })
  onTestFinished(() => database.close())
  await database.run('CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT')
  const source = `
    const { DatabaseSync } = require('node:sqlite')
    const other = new DatabaseSync(${JSON.stringify(path)}, { timeout: 60_000 })
    for (let x = 1; x < 400; x += 2) other.prepare('INSERT INTO t (x) VALUES (?)').run(x)
    other.close()`
  const other = spawn(process.execPath, ['-e', source], { stdio: 'inherit' })
  const ended = once(other, 'exit')
  for (let x = 0; x < 400; x += 2) await database.run('INSERT INTO t (x) VALUES (:x)', { x })
  expect(await ended).toEqual([0, null])
  expect(await database.all('SELECT count(*) AS counted FROM t')).toEqual([{ counted: 400 }])
})
