import { describe } from 'vitest'
import { startTestStores } from '../support/sqlite-stores.ts'
import { destinationStoreContract } from './destination-store.contract.ts'
import { historyStoreContract } from './history-store.contract.ts'
import { sourceStoreContract } from './source-store.contract.ts'
import { tenantStoreContract } from './tenant-store.contract.ts'

describe('SQLite', () => {
  tenantStoreContract(async () => {
    const { tenants, close } = await startTestStores()
    return { store: tenants, close }
  })
  sourceStoreContract(startTestStores)
  destinationStoreContract(startTestStores)
  historyStoreContract(async () => {
    const { history, close } = await startTestStores()
    return { store: history, close }
  })
})
