import { GanchoError } from '../../errors.ts'
import type { Tenant } from '../../tenants/tenant.ts'
import type { TenantRow, TenantStore, TenantsPage } from '../../tenants/tenant-store.ts'
import { type Binds, ConstraintError, type SqlDatabase } from '../sql.ts'
import { tenantBinds, tenantColumns, tenantOfRow, tenantWithTokenOfRow } from '../tenant-row.ts'

const columns = tenantColumns.join(', ')
const values = tenantColumns.map((column) => `:${column}`).join(', ')

/** Tenants in SQLite. The caller opens and closes the database. */
export class SqliteTenantStore implements TenantStore {
  readonly #database: SqlDatabase

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  async create(row: TenantRow): Promise<void> {
    try {
      await this.#database.run(`INSERT INTO tenants (${columns}) VALUES (${values})`, tenantBinds(row))
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error
      throw new GanchoError('TENANT_EXISTS', undefined, { cause: error })
    }
  }

  byCnpj(cnpj: string): Promise<TenantRow | null> {
    return this.#one('cnpj = :cnpj', { cnpj })
  }

  byTokenHash(hash: string): Promise<TenantRow | null> {
    return this.#one('token_hash = :hash', { hash })
  }

  async byCnpjs(cnpjs: readonly string[]): Promise<Tenant[]> {
    const sql = `SELECT ${columns} FROM tenants WHERE cnpj IN (SELECT value FROM json_each(:cnpjs))`
    const rows = await this.#database.all(sql, { cnpjs: JSON.stringify(cnpjs) })
    return rows.map(tenantOfRow)
  }

  async list({ limit, after = '', before, fromEnd = false }: TenantsPage): Promise<TenantRow[]> {
    const range = before === undefined ? 'cnpj > :after' : 'cnpj > :after AND cnpj < :before'
    const order = fromEnd ? 'DESC' : 'ASC'
    const sql = `SELECT ${columns} FROM tenants WHERE ${range} ORDER BY cnpj ${order} LIMIT :limit`
    const rows = await this.#database.all(sql, { limit, after, ...(before === undefined ? {} : { before }) })
    const tenants = rows.map(tenantWithTokenOfRow)
    return fromEnd ? tenants.reverse() : tenants
  }

  async count(limit: number): Promise<number> {
    const sql = 'SELECT count(*) AS counted FROM (SELECT 1 FROM tenants LIMIT :limit)'
    const [row] = await this.#database.all(sql, { limit })
    return Number(row?.counted)
  }

  async setActive(cnpj: string, active: boolean, now: number): Promise<Tenant> {
    const sql = 'UPDATE tenants SET active = :active, updated_at = :now WHERE cnpj = :cnpj'
    const changed = await this.#database.run(sql, { cnpj, active: active ? 1 : 0, now })
    const [tenant] = changed === 1 ? await this.byCnpjs([cnpj]) : []
    if (!tenant) throw new GanchoError('TENANT_NOT_FOUND')
    return tenant
  }

  async remove(cnpj: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM tenants WHERE cnpj = :cnpj', { cnpj })) === 1
  }

  async #one(condition: string, binds: Binds): Promise<TenantRow | null> {
    const [row] = await this.#database.all(`SELECT ${columns} FROM tenants WHERE ${condition}`, binds)
    return row ? tenantWithTokenOfRow(row) : null
  }
}
