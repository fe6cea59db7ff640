import type { Tenant } from '../../src/tenants/tenant.ts'
import type { StoredToken } from '../../src/tenants/tenant-store.ts'

/** A tenant as a store keeps it. */
export const tenantRow = (cnpj: string, part: Partial<Tenant> = {}): Tenant => ({
  cnpj,
  name: `name of ${cnpj}`,
  active: true,
  settings: {},
  createdAt: 1,
  updatedAt: 1,
  ...part,
})

/** One of its tokens. */
export const tokenRow = (cnpj: string, hash: string, part: Partial<StoredToken> = {}): StoredToken => ({
  id: `id of ${hash}`,
  cnpj,
  name: 'first',
  prefix: 'gnt_abcd',
  hash,
  encrypted: 'v1.',
  createdAt: 1,
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  ...part,
})
