import { describe } from 'vitest'
import { oracleStores, type Stores } from '../../src/storage/open-stores.ts'
import { openOracle } from '../../src/storage/oracle/database.ts'
import { OracleHistoryStore } from '../../src/storage/oracle/history-store.ts'
import { migrate } from '../../src/storage/oracle/migrations.ts'
import type { SqlDatabase } from '../../src/storage/sql.ts'
import { destinationStoreContract } from './destination-store.contract.ts'
import { historyStoreContract } from './history-store.contract.ts'
import { sourceStoreContract } from './source-store.contract.ts'
import { statsStoreContract } from './stats-store.contract.ts'
import { tenantStoreContract } from './tenant-store.contract.ts'

const { ORACLE_TEST_CONNECT: connectString, ORACLE_TEST_USER: user, ORACLE_TEST_PASS: password } = process.env
const missing = !connectString || !user || !password
if (missing)
  console.warn(
    'The stores are not tried on a real OracleDB: set ORACLE_TEST_CONNECT, ORACLE_TEST_USER and ORACLE_TEST_PASS to an account whose tables may be emptied.',
  )

const clear = [
  'job_latencies',
  'job_stats',
  'attempts',
  'job_bodies',
  'jobs',
  'destinations',
  'tenant_sources',
  'tenant_tokens',
  'tenants',
].map((table) => ({
  sql: `DELETE FROM ${table}`,
  rows: [{}],
}))
const forget = {
  sql: 'UPDATE history_meta SET highest = 0, epoch = NULL, journal = NULL, last_batch = NULL',
  rows: [{}],
}

async function openEmpty(): Promise<SqlDatabase> {
  const database = await openOracle({
    connectString: connectString ?? '',
    user: user ?? '',
    password: password ?? '',
  })
  await migrate(database)
  await database.transaction([...clear, forget])
  return database
}

const open = async (): Promise<Stores> => oracleStores(await openEmpty())

describe.skipIf(missing)('OracleDB', () => {
  tenantStoreContract(async () => {
    const { tenants, close } = await open()
    return { store: tenants, close }
  })
  sourceStoreContract(open)
  destinationStoreContract(open)
  statsStoreContract(open)
  historyStoreContract(async () => {
    const database = await openEmpty()
    const { history, tenants, close } = await oracleStores(database)
    const limits = { candidates: { first: 2, most: 2 }, searchMs: 0 }
    return { store: history, narrow: new OracleHistoryStore(database, limits), tenants, close }
  })
})
