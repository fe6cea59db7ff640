import type { Tenant } from '../tenants/tenant.ts'
import { searchable, searchTextOf } from '../tenants/tenant-search.ts'
import type {
  StoredToken,
  TenantByToken,
  TenantChange,
  TenantsFilter,
  UsableTokensPage,
  VersionedSettings,
} from '../tenants/tenant-store.ts'
import type { Binds, Row } from './sql.ts'

export const tenantColumns = [
  'cnpj',
  'name',
  'active',
  'settings',
  'search',
  'created_at',
  'updated_at',
] as const

export const tokenColumns = [
  'id',
  'cnpj',
  'name',
  'prefix',
  'hash',
  'encrypted',
  'created_at',
  'expires_at',
  'last_used_at',
  'revoked_at',
] as const

/** The columns that `tenantByTokenOfRow` reads, of `tenants t` joined with `tenant_tokens k`. */
export const tenantByTokenColumns =
  't.cnpj, t.name, t.active, t.settings, t.created_at, t.updated_at, k.id AS token_id, k.hash, k.expires_at'

/** Binds for `tenantColumns`. */
export function tenantBinds(tenant: Tenant): Binds {
  return {
    cnpj: tenant.cnpj,
    name: tenant.name,
    active: tenant.active ? 1 : 0,
    settings: JSON.stringify(tenant.settings),
    search: searchTextOf(tenant),
    created_at: tenant.createdAt,
    updated_at: tenant.updatedAt,
  }
}

/** Changes no row when there is no such tenant, or its settings have another version by now. */
export function tenantUpdate(cnpj: string, change: TenantChange, now: number): { sql: string; binds: Binds } {
  const { name, active, settings } = change
  const columns: Binds = {
    updated_at: now,
    ...(name === undefined ? {} : { name, search: searchTextOf({ name, cnpj }) }),
    ...(active === undefined ? {} : { active: active ? 1 : 0 }),
    ...(settings === undefined ? {} : { settings: JSON.stringify(settings.settings) }),
  }
  const assignments = Object.keys(columns).map((column) => `${column} = :${column}`)
  if (!settings)
    return {
      sql: `UPDATE tenants SET ${assignments.join(', ')} WHERE cnpj = :cnpj`,
      binds: { ...columns, cnpj },
    }
  assignments.push('settings_version = settings_version + 1')
  const sql = `UPDATE tenants SET ${assignments.join(', ')} WHERE cnpj = :cnpj AND settings_version = :was`
  return { sql, binds: { ...columns, cnpj, was: settings.version } }
}

export const selectSettings = 'SELECT settings, settings_version FROM tenants WHERE cnpj = :cnpj'

export const settingsOfRow = (row: Row): VersionedSettings => ({
  settings: JSON.parse(String(row.settings)),
  version: Number(row.settings_version),
})

/** Conditions on `tenants`, and their binds. */
export function tenantConditions({ text, active }: TenantsFilter = {}): {
  conditions: string[]
  binds: Binds
} {
  const wanted = text === undefined ? '' : searchable(text.trim())
  return {
    conditions: [
      ...(wanted ? ['instr(search, :text) > 0'] : []),
      ...(active === undefined ? [] : ['active = :active']),
    ],
    binds: {
      ...(wanted ? { text: wanted } : {}),
      ...(active === undefined ? {} : { active: active ? 1 : 0 }),
    },
  }
}

/** Binds for `tokenColumns`. */
export function tokenBinds(token: StoredToken): Binds {
  return {
    id: token.id,
    cnpj: token.cnpj,
    name: token.name,
    prefix: token.prefix,
    hash: token.hash,
    encrypted: token.encrypted,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    last_used_at: token.lastUsedAt,
    revoked_at: token.revokedAt,
  }
}

export function tenantOfRow(row: Row): Tenant {
  return {
    cnpj: String(row.cnpj),
    name: String(row.name),
    active: row.active === 1,
    settings: JSON.parse(String(row.settings)),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  }
}

export const timeOf = (value: Row[string] | undefined) =>
  value === null || value === undefined ? null : Number(value)

export function tokenOfRow(row: Row): StoredToken {
  return {
    id: String(row.id),
    cnpj: String(row.cnpj),
    name: String(row.name),
    prefix: String(row.prefix),
    hash: String(row.hash),
    encrypted: String(row.encrypted),
    createdAt: Number(row.created_at),
    expiresAt: timeOf(row.expires_at),
    lastUsedAt: timeOf(row.last_used_at),
    revokedAt: timeOf(row.revoked_at),
  }
}

/** Conditions on `tenants t` joined with `tenant_tokens k`. */
export const usableConditions = ({ cnpj }: UsableTokensPage) =>
  `k.hash > :after AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now) AND t.active = 1${
    cnpj === undefined ? '' : ' AND k.cnpj = :cnpj'
  }`

export const usableBinds = ({ limit, now, after = '', cnpj }: UsableTokensPage): Binds => ({
  ...{ limit, now, after },
  ...(cnpj === undefined ? {} : { cnpj }),
})

/** Of `tenant_tokens`: those whose end was before `:before`. */
export const endedBefore = '(revoked_at < :before OR expires_at < :before)'

/** Of `tenant_tokens`, around the condition on `cnpj`. */
export const newestTokens = {
  select: `SELECT ${tokenColumns.join(', ')} FROM (SELECT ${tokenColumns.join(', ')},
    row_number() OVER (PARTITION BY cnpj ORDER BY created_at DESC, id) AS place FROM tenant_tokens WHERE`,
  order: ') newest WHERE place <= 100 ORDER BY created_at DESC, id',
}

/** Of tokens and sources alike, with a condition on `cnpj`. */
export const lastUsesQuery = (ofTenants: string) => `SELECT cnpj, max(last_used_at) AS used_at FROM (
    SELECT cnpj, last_used_at FROM tenant_tokens WHERE last_used_at IS NOT NULL AND ${ofTenants}
    UNION ALL SELECT cnpj, last_used_at FROM tenant_sources WHERE last_used_at IS NOT NULL AND ${ofTenants}
  ) uses GROUP BY cnpj`

export const lastUseOfRow = (row: Row) => ({ cnpj: String(row.cnpj), at: Number(row.used_at) })

export function tenantByTokenOfRow(row: Row): TenantByToken {
  const token = { id: String(row.token_id), hash: String(row.hash), expiresAt: timeOf(row.expires_at) }
  return { tenant: tenantOfRow(row), token }
}
