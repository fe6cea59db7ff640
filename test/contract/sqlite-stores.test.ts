import { describe } from 'vitest'
import { startTestStores } from '../support/sqlite-stores.ts'
import { historyStoreContract } from './history-store.contract.ts'
import { sourceStoreContract } from './source-store.contract.ts'
import { tenantStoreContract } from './tenant-store.contract.ts'

describe('SQLite', () => {
  tenantStoreContract(async () => {
    const { tenants, close } = await startTestStores()
    return { store: tenants, close }
  })
  sourceStoreContract(startTestStores)
  historyStoreContract(async () => {
    const { history, close } = await startTestStores()
    return { store: history, close }
  })
})
