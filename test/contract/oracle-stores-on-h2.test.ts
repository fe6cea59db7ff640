import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { oracleStores } from '../../src/storage/open-stores.ts'
import { OracleHistoryStore } from '../../src/storage/oracle/history-store.ts'
import { migrate } from '../../src/storage/oracle/migrations.ts'
import { openH2 } from '../support/h2-database.ts'
import { type H2Server, missingH2, startH2 } from '../support/h2-server.ts'
import { destinationStoreContract } from './destination-store.contract.ts'
import { historyStoreContract } from './history-store.contract.ts'
import { sampleAttempt, sampleJob, snapshot } from './sample-jobs.ts'
import { sourceStoreContract } from './source-store.contract.ts'
import { statsStoreContract } from './stats-store.contract.ts'
import { tenantStoreContract } from './tenant-store.contract.ts'

describe.skipIf(missingH2)('the SQL for OracleDB, on H2', () => {
  let h2: H2Server
  beforeAll(async () => {
    h2 = await startH2()
  })
  afterAll(() => h2.stop())

  const open = async () => oracleStores(await openH2(h2.port))
  tenantStoreContract(async () => {
    const { tenants, close } = await open()
    return { store: tenants, close }
  })
  sourceStoreContract(open)
  destinationStoreContract(open)
  statsStoreContract(open)
  historyStoreContract(async () => {
    const database = await openH2(h2.port)
    const { history, tenants, close } = await oracleStores(database)
    const limits = { candidates: { first: 2, most: 2 }, searchMs: 0 }
    return { store: history, narrow: new OracleHistoryStore(database, limits), tenants, close }
  })

  describe('migrations', () => {
    const name = 'mem:migrations'

    test('change nothing when repeated', async () => {
      const database = await openH2(h2.port)
      await migrate(database)
      const before = await database.all('SELECT * FROM history_meta')
      await migrate(database)
      expect(await database.all('SELECT * FROM history_meta')).toEqual(before)
      expect(await database.all('SELECT version FROM schema_migrations ORDER BY version')).toEqual([
        { version: 1 },
        { version: 2 },
        { version: 3 },
        { version: 4 },
        { version: 5 },
        { version: 7 },
        { version: 8 },
      ])
      await database.close()
    })

    test('of several processes at once leave one schema and one name', async () => {
      const databases = await Promise.all([1, 2, 3].map(() => openH2(h2.port, name)))
      const [first, ...others] = databases
      if (!first) throw new Error('no database')
      await Promise.all(databases.map((database) => migrate(database)))
      for (const database of others)
        expect(await database.all('SELECT id FROM history_meta')).toEqual(
          await first.all('SELECT id FROM history_meta'),
        )
      expect(await first.all('SELECT count(*) AS counted FROM schema_migrations')).toEqual([{ counted: 7 }])
      await Promise.all(databases.map((database) => database.close()))
    })

    test('go on where a process stopped half way', async () => {
      const database = await openH2(h2.port)
      let left = 6
      const breaking = {
        ...database,
        run: (sql: string, binds = {}) =>
          left-- > 0 ? database.run(sql, binds) : Promise.reject(new Error('killed')),
      }
      await expect(migrate(breaking)).rejects.toThrow('killed')
      const { history, close } = await oracleStores(database)
      await history.record([snapshot(sampleJob(1), [sampleAttempt(1)])], { epoch: 'e', journalId: '1-0' })
      expect(await history.list({}, { limit: 5 })).toEqual([sampleJob(1)])
      await close()
    })
  })

  test('keeps an empty text apart from none, and texts that look like how that is done', async () => {
    const { history, close } = await open()
    const texts = ['', '\0', '\0\0', 'a\0', null]
    const attempts = texts.map((responseBody, at) => sampleAttempt(at + 1, { responseBody }))
    await history.record([snapshot(sampleJob(1), attempts)], { epoch: 'e', journalId: '1-0' })
    expect((await history.attempts([1])).get(1)).toEqual(attempts)
    await close()
  })

  test('finds many jobs at once, and none under a queue longer than any', async () => {
    const { history, close } = await open()
    await history.record(
      [3, 700, 1_200].map((n) => snapshot(sampleJob(n))),
      { epoch: 'e', journalId: '1-0' },
    )
    const ns = Array.from({ length: 1_234 }, (_, at) => at + 1)
    expect((await history.jobs(ns)).map(({ n }) => n).toSorted((a, b) => a - b)).toEqual([3, 700, 1_200])
    expect(await history.count({ ns }, 100)).toBe(3)
    expect(
      (await history.list({ ns, statuses: ['QUEUED', 'FAILED'] }, { limit: 2 })).map(({ n }) => n),
    ).toEqual([1_200, 700])
    expect(await history.list({ queue: 'q'.repeat(5_000) }, { limit: 2 })).toEqual([])
    await close()
  })
})
