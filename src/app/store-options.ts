import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { StoreOptions } from '../storage/open-stores.ts'

/** Which database the configuration names. */
export function storeOptions({
  DB_CONNECT,
  DB_USER = '',
  DB_PASS = '',
  DB_POOL_MAX,
  DATA_DIR,
}: Config): StoreOptions {
  if (!DB_CONNECT) return { sqlite: { path: join(DATA_DIR, 'gancho.db') } }
  return {
    oracle: { connectString: DB_CONNECT, user: DB_USER, password: DB_PASS, poolMax: DB_POOL_MAX },
  }
}
