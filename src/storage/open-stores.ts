import type { DestinationStore } from '../delivery/destination-store.ts'
import type { HistoryStore } from '../history/history-store.ts'
import type { StatsStore } from '../history/stats-store.ts'
import type { SourceStore } from '../tenants/sources/source-store.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'
import { SqlDestinationStore } from './destination-store.ts'
import type { OracleOptions } from './oracle/database.ts'
import { OracleHistoryStore } from './oracle/history-store.ts'
import { migrate as migrateOracle } from './oracle/migrations.ts'
import { SqlSourceStore } from './source-store.ts'
import type { SqlDatabase } from './sql.ts'
import { openSqlite, type SqliteOptions } from './sqlite/database.ts'
import { SqliteHistoryStore } from './sqlite/history-store.ts'
import { migrate } from './sqlite/migrations.ts'
import { SqlStatsStore } from './stats-store.ts'
import { SqlTenantStore } from './tenant-store.ts'

/** All stores of one database, and the one way to close it. */
export type Stores = {
  tenants: TenantStore
  sources: SourceStore
  destinations: DestinationStore
  history: HistoryStore
  stats: StatsStore
  close(): Promise<void>
}

export type StoreOptions = { sqlite: SqliteOptions } | { oracle: OracleOptions }

const sqliteLimit = 'LIMIT :limit'
const oracleLimit = 'FETCH FIRST :limit ROWS ONLY'

/**
 * Opens the database and brings its schema up to date.
 * @throws GanchoError DATABASE_UNAVAILABLE
 */
export function openStores(options: StoreOptions): Promise<Stores> {
  return 'oracle' in options ? openOracleStores(options.oracle) : openSqliteStores(options.sqlite)
}

/**
 * Opens the file, makes it and its folder where missing, and brings its schema up to date.
 * @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function openSqliteStores(options: SqliteOptions): Promise<Stores> {
  const database = openSqlite(options)
  await orClose(database, migrate(database))
  return {
    tenants: new SqlTenantStore(database, sqliteLimit),
    sources: new SqlSourceStore(database),
    destinations: new SqlDestinationStore(database, sqliteLimit),
    history: new SqliteHistoryStore(database),
    stats: new SqlStatsStore(database),
    close: () => database.close(),
  }
}

/** @throws GanchoError DATABASE_UNAVAILABLE */
async function openOracleStores(options: OracleOptions): Promise<Stores> {
  // Here alone, so that nobody waits for the driver who does not use it.
  const { openOracle } = await import('./oracle/database.ts')
  return oracleStores(await openOracle(options))
}

/** The stores of an OracleDB that is open, once its schema is up to date; closed again when that fails. */
export async function oracleStores(database: SqlDatabase): Promise<Stores> {
  await orClose(database, migrateOracle(database))
  return {
    tenants: new SqlTenantStore(database, oracleLimit),
    sources: new SqlSourceStore(database),
    destinations: new SqlDestinationStore(database, oracleLimit),
    history: new OracleHistoryStore(database),
    stats: new SqlStatsStore(database),
    close: () => database.close(),
  }
}

async function orClose(database: SqlDatabase, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    await database.close()
    throw error
  }
}
