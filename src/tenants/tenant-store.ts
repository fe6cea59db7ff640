import type { Tenant } from './tenant.ts'

/** A tenant with what is needed to recognise its token. The plain token is stored nowhere. */
export type TenantRow = Tenant & {
  /** Keyed hash of the token, for look-up. */
  tokenHash: string
  /** The token under AES-256-CBC with a MAC, see token-cipher.ts. */
  encryptedToken: string
}

/**
 * A page of the list ordered by CNPJ; `after` and `before` are CNPJs outside the page. `fromEnd` takes the last `limit` of that
 * range, still in order.
 */
export type TenantsPage = { limit: number; after?: string; before?: string; fromEnd?: boolean }

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export interface TenantStore {
  /** @throws GanchoError TENANT_EXISTS */
  create(row: TenantRow): Promise<void>
  byCnpj(cnpj: string): Promise<TenantRow | null>
  byTokenHash(hash: string): Promise<TenantRow | null>
  /** In no order; unknown ones are left out. */
  byCnpjs(cnpjs: readonly string[]): Promise<Tenant[]>
  list(page: TenantsPage): Promise<TenantRow[]>
  /** At most `limit`. */
  count(limit: number): Promise<number>
  /** @throws GanchoError TENANT_NOT_FOUND */
  setActive(cnpj: string, active: boolean, now: number): Promise<Tenant>
  /** @returns whether there was one. */
  remove(cnpj: string): Promise<boolean>
}
