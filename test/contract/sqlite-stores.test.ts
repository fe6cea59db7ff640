import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { SqliteHistoryStore } from '../../src/storage/sqlite/history-store.ts'
import { migrate } from '../../src/storage/sqlite/migrations.ts'
import { SqlTenantStore } from '../../src/storage/tenant-store.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'
import { destinationStoreContract } from './destination-store.contract.ts'
import { historyStoreContract } from './history-store.contract.ts'
import { sampleAttempt, sampleJob, snapshot } from './sample-jobs.ts'
import { sourceStoreContract } from './source-store.contract.ts'
import { statsStoreContract } from './stats-store.contract.ts'
import { tenantStoreContract } from './tenant-store.contract.ts'

describe('SQLite', () => {
  tenantStoreContract(async () => {
    const { tenants, close } = await startTestStores()
    return { store: tenants, close }
  })
  sourceStoreContract(startTestStores)
  destinationStoreContract(startTestStores)
  statsStoreContract(startTestStores)
  historyStoreContract(async () => {
    const folder = await temporaryFolder()
    const database = openSqlite({ path: join(folder.path, 'gancho.sqlite') })
    await migrate(database)
    return {
      store: new SqliteHistoryStore(database),
      narrow: new SqliteHistoryStore(database, { candidates: { first: 2, most: 2 }, searchMs: 0 }),
      tenants: new SqlTenantStore(database, 'LIMIT :limit'),
      async close() {
        await database.close()
        await folder.remove()
      },
    }
  })

  test('puts together what several looks of a search have found', async () => {
    const folder = await temporaryFolder()
    const database = openSqlite({ path: join(folder.path, 'gancho.sqlite') })
    await migrate(database)
    const limits = { candidates: { first: 2, most: 2 }, searchMs: 60_000 }
    const history = new SqliteHistoryStore(database, limits)
    const cnpjs = ['00000000000191', '12ABC34501DE35'] as const
    for (const cnpj of cnpjs)
      await new SqlTenantStore(database, 'LIMIT :limit').create(tenantRow(cnpj), tokenRow(cnpj, cnpj))
    const jobs = [1, 2, 3, 4, 5].map((n) => sampleJob(n, { status: 'FAILED', cnpj: cnpjs[n < 2 ? 0 : 1] }))
    const position = { epoch: 'e', journalId: '1-0' }
    await history.record(
      jobs.map((job) => snapshot(job, [sampleAttempt(1)])),
      position,
    )
    const filter = { text: 'n', statuses: ['FAILED'] } as const
    const found = await history.search(filter, { limit: 10 }, { job: [], attempts: [], tenants: true })
    expect(found.jobs.map(({ n }) => n)).toEqual([5, 4, 3, 2, 1])
    expect([...found.attempts.keys()].toSorted()).toEqual([1, 2, 3, 4, 5])
    expect([...found.tenants.keys()].toSorted()).toEqual(cnpjs)
    await database.close()
    await folder.remove()
  })
})
