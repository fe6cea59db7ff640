import { join } from 'node:path'
import { describe } from 'vitest'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { SqliteHistoryStore } from '../../src/storage/sqlite/history-store.ts'
import { migrate } from '../../src/storage/sqlite/migrations.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { destinationStoreContract } from './destination-store.contract.ts'
import { historyStoreContract } from './history-store.contract.ts'
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
      async close() {
        await database.close()
        await folder.remove()
      },
    }
  })
})
