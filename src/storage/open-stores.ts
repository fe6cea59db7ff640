import type { HistoryStore } from '../history/history-store.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'
import { openSqlite, type SqliteOptions } from './sqlite/database.ts'
import { SqliteHistoryStore } from './sqlite/history-store.ts'
import { migrate } from './sqlite/migrations.ts'
import { SqliteTenantStore } from './sqlite/tenant-store.ts'

/** All stores of one database, and the one way to close it. */
export type Stores = { tenants: TenantStore; history: HistoryStore; close(): Promise<void> }

/**
 * Opens the file, makes it and its folder where missing, and brings its schema up to date.
 * @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function openSqliteStores(options: SqliteOptions): Promise<Stores> {
  const database = openSqlite(options)
  try {
    await migrate(database)
  } catch (error) {
    await database.close()
    throw error
  }
  return {
    tenants: new SqliteTenantStore(database),
    history: new SqliteHistoryStore(database),
    close: () => database.close(),
  }
}
