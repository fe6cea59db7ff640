import type { Use } from './last-uses.ts'
import type { Tenant, TenantToken } from './tenant.ts'
import type { TenantSettings } from './tenant-settings.ts'

/** A token with what is needed to recognise it. The plain token is stored nowhere. */
export type StoredToken = TenantToken & {
  /** Keyed hash of the token, for look-up. */
  hash: string
  /** The token under AES-256-CBC with a MAC, see token-cipher.ts. */
  encrypted: string
}

/** A tenant by one of its tokens. */
export type TenantByToken = {
  tenant: Tenant
  token: Pick<StoredToken, 'id' | 'hash' | 'expiresAt'>
}

/** `text` is part of the name or the CNPJ, whatever its case and accents. */
export type TenantsFilter = { text?: string; active?: boolean }

/**
 * A page of the list ordered by CNPJ; `after` and `before` are CNPJs outside the page. `fromEnd` takes the last `limit` of that
 * range, still in order.
 */
export type TenantsPage = {
  limit: number
  after?: string
  before?: string
  fromEnd?: boolean
  filter?: TenantsFilter
}

/** `version` rises with each change of them. */
export type VersionedSettings = { settings: TenantSettings; version: number }

/** New settings take the place of all those before, as long as these still have that version. */
export type TenantChange = { name?: string; active?: boolean; settings?: VersionedSettings }

export type UsableTokensPage = { limit: number; now: number; after?: string | undefined; cnpj?: string }

/** Times are epoch milliseconds. Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export interface TenantStore {
  /** A tenant with its first token. @throws GanchoError TENANT_EXISTS */
  create(tenant: Tenant, token: StoredToken): Promise<void>
  byCnpj(cnpj: string): Promise<Tenant | null>
  /** In no order; unknown ones are left out. */
  byCnpjs(cnpjs: readonly string[]): Promise<Tenant[]>
  list(page: TenantsPage): Promise<Tenant[]>
  /** At most `limit`. */
  count(limit: number, filter?: TenantsFilter): Promise<number>
  /** A tenant's settings, for whoever wants to change them. */
  settings(cnpj: string): Promise<VersionedSettings | null>
  /** What is left out stays. @throws GanchoError TENANT_NOT_FOUND, TENANT_CHANGED when the settings have another version by now */
  update(cnpj: string, change: TenantChange, now: number): Promise<Tenant>
  /** With all its tokens. @returns whether there was one. */
  remove(cnpj: string): Promise<boolean>

  /** Not for a revoked token; one that has expired is for the caller to refuse. */
  byTokenHash(hash: string): Promise<TenantByToken | null>
  /**
   * Tokens of active tenants that are neither revoked nor expired at `now`, in order of their hashes, after the hash `after`; with
   * `cnpj` those of one tenant.
   */
  usableTokens(page: UsableTokensPage): Promise<TenantByToken[]>
  /** All tokens, ended ones too, in order of their ids, after the id `after`. */
  tokenPage(page: { limit: number; after?: string }): Promise<StoredToken[]>
  /** These tenants' tokens, ended ones too, newest first, 100 of each tenant at most. */
  tokens(cnpjs: readonly string[]): Promise<StoredToken[]>
  /** When a token or a source of each of these tenants was last used; those that never used one are left out. */
  lastUses(cnpjs: readonly string[]): Promise<{ cnpj: string; at: number }[]>
  /**
   * Adds a token and, with `othersExpireAt`, has the tenant's other ones expire then, unless they end before; both or nothing.
   * Two at once happen one after the other.
   * @throws GanchoError TENANT_NOT_FOUND
   */
  addToken(token: StoredToken, othersExpireAt?: number): Promise<void>
  /** Harmless to repeat: the first moment stays. @returns whether the tenant has that token. */
  revokeToken(cnpj: string, id: string, at: number): Promise<boolean>
  /** Writes when tokens were last used; an earlier moment changes nothing, nor does an unknown id. */
  touchTokens(uses: readonly Use[]): Promise<void>
  /** Removes at most `limit` tokens that expired or were revoked before that moment. @returns how many. */
  removeEndedTokens(before: number, limit: number): Promise<number>
  /** Replaces what a token is recognised by, for a new secret. @returns whether it was still as `from`. */
  resealToken(from: StoredToken, to: Pick<StoredToken, 'hash' | 'encrypted' | 'prefix'>): Promise<boolean>
}
