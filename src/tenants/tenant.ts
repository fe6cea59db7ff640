import type { TenantSettings } from './tenant-settings.ts'

/** A client of the platform. Times are epoch milliseconds. */
export type Tenant = {
  /** 14 characters, upper case, no punctuation. */
  cnpj: string
  name: string
  active: boolean
  settings: TenantSettings
  createdAt: number
  updatedAt: number
}

/** One of a tenant's tokens, without what would let anyone use it. Times are epoch milliseconds. */
export type TenantToken = {
  id: string
  cnpj: string
  /** What an administrator calls it. */
  name: string
  /** Its first characters, by which a person recognises it. */
  prefix: string
  createdAt: number
  /** It is honoured before this moment only. */
  expiresAt: number | null
  /** To about a minute. */
  lastUsedAt: number | null
  revokedAt: number | null
}
