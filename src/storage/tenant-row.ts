import type { Tenant } from '../tenants/tenant.ts'
import type { TenantRow } from '../tenants/tenant-store.ts'
import type { Binds, Row } from './sql.ts'

export const tenantColumns = [
  'cnpj',
  'name',
  'active',
  'created_at',
  'updated_at',
  'token_hash',
  'encrypted_token',
] as const

/** Binds for `tenantColumns`. */
export function tenantBinds(row: TenantRow): Binds {
  return {
    cnpj: row.cnpj,
    name: row.name,
    active: row.active ? 1 : 0,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    token_hash: row.tokenHash,
    encrypted_token: row.encryptedToken,
  }
}

/** The tenant alone, without what belongs to its token. */
export function tenantOfRow(row: Row): Tenant {
  return {
    cnpj: String(row.cnpj),
    name: String(row.name),
    active: row.active === 1,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  }
}

/** The row that `tenantBinds` was given. */
export function tenantWithTokenOfRow(row: Row): TenantRow {
  return {
    ...tenantOfRow(row),
    tokenHash: String(row.token_hash),
    encryptedToken: String(row.encrypted_token),
  }
}
