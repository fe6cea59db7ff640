import type { Tenant } from '../tenants/tenant.ts'
import { searchable, searchTextOf } from '../tenants/tenant-search.ts'
import type { StoredToken, TenantByToken, TenantChange, TenantsFilter } from '../tenants/tenant-store.ts'
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

/** Binds of a change, each named as its column, without `updated_at`. */
export function tenantChangeBinds(cnpj: string, { name, active, settings }: TenantChange): Binds {
  return {
    ...(name === undefined ? {} : { name, search: searchTextOf({ name, cnpj }) }),
    ...(active === undefined ? {} : { active: active ? 1 : 0 }),
    ...(settings === undefined ? {} : { settings: JSON.stringify(settings) }),
  }
}

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

const timeOf = (value: Row[string] | undefined) =>
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

/** Of `tenant_tokens`, up to the condition on `cnpj`. */
export const lastUsesQuery = {
  select: 'SELECT cnpj, max(last_used_at) AS used_at FROM tenant_tokens WHERE last_used_at IS NOT NULL AND',
  groups: 'GROUP BY cnpj',
}

export const lastUseOfRow = (row: Row) => ({ cnpj: String(row.cnpj), at: Number(row.used_at) })

export function tenantByTokenOfRow(row: Row): TenantByToken {
  const token = { id: String(row.token_id), hash: String(row.hash), expiresAt: timeOf(row.expires_at) }
  return { tenant: tenantOfRow(row), token }
}
