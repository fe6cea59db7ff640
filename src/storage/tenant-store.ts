import { GanchoError } from '../errors.ts'
import type { Use } from '../tenants/last-uses.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type {
  StoredToken,
  TenantByToken,
  TenantChange,
  TenantStore,
  TenantsFilter,
  TenantsPage,
  UsableTokensPage,
  VersionedSettings,
} from '../tenants/tenant-store.ts'
import { readByList } from './in-list.ts'
import { brokenConstraintAs, type LimitClause, type SqlDatabase, type Step } from './sql.ts'
import {
  endedBefore,
  lastUseOfRow,
  lastUsesQuery,
  newestTokens,
  selectSettings,
  settingsOfRow,
  tenantBinds,
  tenantByTokenColumns,
  tenantByTokenOfRow,
  tenantColumns,
  tenantConditions,
  tenantOfRow,
  tenantUpdate,
  tokenBinds,
  tokenColumns,
  tokenOfRow,
  usableBinds,
  usableConditions,
} from './tenant-row.ts'

const insertInto = (table: string, columns: readonly string[]) =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`

const insertTenant = insertInto('tenants', tenantColumns)
const insertToken = insertInto('tenant_tokens', tokenColumns)
const selectTenant = `SELECT ${tenantColumns.join(', ')} FROM tenants`
const selectToken = `SELECT ${tokenColumns.join(', ')} FROM tenant_tokens`
const selectByToken = `SELECT ${tenantByTokenColumns} FROM tenant_tokens k JOIN tenants t ON t.cnpj = k.cnpj`
const where = (conditions: readonly string[]) =>
  conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''

/** Tenants in any of the databases: only the end of a page is a matter of dialect. The caller opens and closes the database. */
export class SqlTenantStore implements TenantStore {
  readonly #database: SqlDatabase
  readonly #limit: LimitClause

  constructor(database: SqlDatabase, limit: LimitClause) {
    this.#database = database
    this.#limit = limit
  }

  async create(tenant: Tenant, token: StoredToken): Promise<void> {
    const steps = [
      { sql: insertTenant, rows: [tenantBinds(tenant)] },
      { sql: insertToken, rows: [tokenBinds(token)] },
    ]
    await this.#database.transaction(steps).catch(brokenConstraintAs('TENANT_EXISTS'))
  }

  async byCnpj(cnpj: string): Promise<Tenant | null> {
    const [row] = await this.#database.all(`${selectTenant} WHERE cnpj = :cnpj`, { cnpj })
    return row ? tenantOfRow(row) : null
  }

  async byCnpjs(cnpjs: readonly string[]): Promise<Tenant[]> {
    const rows = await readByList('cnpj', cnpjs, ({ sql, binds }) =>
      this.#database.all(`${selectTenant} WHERE ${sql}`, binds),
    )
    return rows.map(tenantOfRow)
  }

  async list({ limit, after = '', before, fromEnd = false, filter }: TenantsPage): Promise<Tenant[]> {
    const { conditions, binds } = tenantConditions(filter)
    const range = before === undefined ? ['cnpj > :after'] : ['cnpj > :after', 'cnpj < :before']
    const order = fromEnd ? 'DESC' : 'ASC'
    const sql = `${selectTenant}${where([...range, ...conditions])} ORDER BY cnpj ${order} ${this.#limit}`
    const edges = { limit, after, ...(before === undefined ? {} : { before }) }
    const tenants = (await this.#database.all(sql, { ...edges, ...binds })).map(tenantOfRow)
    return fromEnd ? tenants.reverse() : tenants
  }

  async count(limit: number, filter?: TenantsFilter): Promise<number> {
    const { conditions, binds } = tenantConditions(filter)
    const sql = `SELECT count(*) AS counted FROM (SELECT 1 FROM tenants${where(conditions)} ${this.#limit})`
    const [row] = await this.#database.all(sql, { limit, ...binds })
    return Number(row?.counted)
  }

  async settings(cnpj: string): Promise<VersionedSettings | null> {
    const [row] = await this.#database.all(selectSettings, { cnpj })
    return row ? settingsOfRow(row) : null
  }

  async update(cnpj: string, change: TenantChange, now: number): Promise<Tenant> {
    const { sql, binds } = tenantUpdate(cnpj, change, now)
    const changed = await this.#database.run(sql, binds)
    const tenant = await this.byCnpj(cnpj)
    if (!tenant) throw new GanchoError('TENANT_NOT_FOUND')
    if (changed === 0) throw new GanchoError('TENANT_CHANGED')
    return tenant
  }

  async remove(cnpj: string): Promise<boolean> {
    return (await this.#database.run('DELETE FROM tenants WHERE cnpj = :cnpj', { cnpj })) === 1
  }

  async byTokenHash(hash: string): Promise<TenantByToken | null> {
    const sql = `${selectByToken} WHERE k.hash = :hash AND k.revoked_at IS NULL`
    const [row] = await this.#database.all(sql, { hash })
    return row ? tenantByTokenOfRow(row) : null
  }

  async usableTokens(page: UsableTokensPage): Promise<TenantByToken[]> {
    const sql = `${selectByToken} WHERE ${usableConditions(page)} ORDER BY k.hash ${this.#limit}`
    return (await this.#database.all(sql, usableBinds(page))).map(tenantByTokenOfRow)
  }

  async tokenPage({ limit, after = '' }: { limit: number; after?: string }): Promise<StoredToken[]> {
    const sql = `${selectToken} WHERE id > :after ORDER BY id ${this.#limit}`
    return (await this.#database.all(sql, { limit, after })).map(tokenOfRow)
  }

  async tokens(cnpjs: readonly string[]): Promise<StoredToken[]> {
    const rows = await readByList('cnpj', cnpjs, ({ sql, binds }) =>
      this.#database.all(`${newestTokens.select} ${sql} ${newestTokens.order}`, binds),
    )
    return rows.map(tokenOfRow)
  }

  async lastUses(cnpjs: readonly string[]) {
    const rows = await readByList('cnpj', cnpjs, ({ sql, binds }) =>
      this.#database.all(lastUsesQuery(sql), binds),
    )
    return rows.map(lastUseOfRow)
  }

  async addToken(token: StoredToken, othersExpireAt?: number): Promise<void> {
    const { cnpj, createdAt: now } = token
    const end: Step = {
      sql: 'UPDATE tenant_tokens SET expires_at = :at WHERE cnpj = :cnpj AND (expires_at IS NULL OR expires_at > :at)',
      rows: othersExpireAt === undefined ? [] : [{ cnpj, at: othersExpireAt }],
    }
    const steps = [
      // First, because its lock has a second rotation of the same tenant wait for this one.
      { sql: 'UPDATE tenants SET updated_at = :now WHERE cnpj = :cnpj', rows: [{ cnpj, now }] },
      end,
      { sql: insertToken, rows: [tokenBinds(token)] },
    ]
    await this.#database.transaction(steps).catch(brokenConstraintAs('TENANT_NOT_FOUND'))
  }

  async revokeToken(cnpj: string, id: string, at: number): Promise<boolean> {
    const sql =
      'UPDATE tenant_tokens SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id AND cnpj = :cnpj'
    return (await this.#database.run(sql, { cnpj, id, at })) === 1
  }

  async touchTokens(uses: readonly Use[]): Promise<void> {
    const sql =
      'UPDATE tenant_tokens SET last_used_at = :at WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :at)'
    await this.#database.transaction([{ sql, rows: uses }])
  }

  removeEndedTokens(before: number, limit: number): Promise<number> {
    const sql = `DELETE FROM tenant_tokens WHERE id IN (SELECT id FROM (
      SELECT id FROM tenant_tokens WHERE ${endedBefore} ${this.#limit}))`
    return this.#database.run(sql, { before, limit })
  }

  async resealToken(
    { id, hash: from }: StoredToken,
    { hash, encrypted, prefix }: Pick<StoredToken, 'hash' | 'encrypted' | 'prefix'>,
  ): Promise<boolean> {
    const sql =
      'UPDATE tenant_tokens SET hash = :hash, encrypted = :encrypted, prefix = :prefix WHERE id = :id AND hash = :was'
    return (await this.#database.run(sql, { id, was: from, hash, encrypted, prefix })) === 1
  }
}
