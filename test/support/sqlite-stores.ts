import { join } from 'node:path'
import { openSqliteStores, type Stores } from '../../src/storage/open-stores.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Empty stores in a file of their own; `close` removes it. */
export async function startTestStores(): Promise<Stores> {
  const folder = await temporaryFolder()
  const stores = await openSqliteStores({ path: join(folder.path, 'gancho.sqlite') })
  async function close() {
    await stores.close()
    await folder.remove()
  }
  return { ...stores, close }
}
