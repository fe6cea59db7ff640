import { GanchoError } from '../errors.ts'
import { parseCnpj } from './cnpj.ts'
import type { TenantDirectory } from './directory.ts'
import type { TenantInvalidation } from './invalidation.ts'
import type { Tenant } from './tenant.ts'
import type { TenantRow, TenantStore, TenantsPage } from './tenant-store.ts'
import { newTenantToken, type TokenHash } from './token.ts'
import type { TokenCipher } from './token-cipher.ts'

export type TenantServiceDeps = {
  store: TenantStore
  directory: Pick<TenantDirectory, 'invalidate'>
  invalidation: Pick<TenantInvalidation, 'publish'>
  cipher: TokenCipher
  hashToken: TokenHash
  /** Epoch milliseconds. */
  now?: () => number
}

export type NewTenant = { cnpj: string; name: string; active?: boolean | undefined }
/** `token` is in the clear and stored nowhere: this is the one time it is known. */
export type CreatedTenant = { tenant: Tenant; token: string; encryptedToken: string }

/** CNPJs are taken with or without punctuation. Every method may throw GanchoError INVALID_CNPJ or DATABASE_UNAVAILABLE. */
export type TenantService = {
  /** @throws GanchoError TENANT_EXISTS, BAD_REQUEST when the name is empty or longer than 200 characters */
  createTenant(input: NewTenant): Promise<CreatedTenant>
  /** @throws GanchoError TENANT_NOT_FOUND */
  setTenantActive(cnpj: string, active: boolean): Promise<Tenant>
  /** The tenant's history stays until it expires. @returns the CNPJ. @throws GanchoError TENANT_NOT_FOUND */
  removeTenant(cnpj: string): Promise<string>
  /** From the store, so that it shows the last change. */
  findTenant(cnpj: string): Promise<Tenant | null>
  listTenants(page: TenantsPage): Promise<Tenant[]>
}

/** What administrators do to tenants. When a change is answered, this instance knows it, and the others have been told. */
export function tenantService(deps: TenantServiceDeps): TenantService {
  const { store, directory, invalidation, cipher, hashToken, now = Date.now } = deps

  async function changed(cnpj: string) {
    directory.invalidate(cnpj)
    await invalidation.publish(cnpj)
  }

  return {
    async createTenant(input) {
      const token = newTenantToken()
      const tenant = tenantOf(input, now())
      const encryptedToken = cipher.encrypt(token)
      await store.create({ ...tenant, tokenHash: hashToken(token), encryptedToken })
      await changed(tenant.cnpj)
      return { tenant, token, encryptedToken }
    },
    async setTenantActive(cnpj, active) {
      const tenant = await store.setActive(parseCnpj(cnpj), active, now())
      await changed(tenant.cnpj)
      return tenant
    },
    async removeTenant(cnpj) {
      const normal = parseCnpj(cnpj)
      if (!(await store.remove(normal))) throw new GanchoError('TENANT_NOT_FOUND')
      await changed(normal)
      return normal
    },
    async findTenant(cnpj) {
      const row = await store.byCnpj(parseCnpj(cnpj))
      return row && withoutToken(row)
    },
    async listTenants(page) {
      return (await store.list(page)).map(withoutToken)
    },
  }
}

function tenantOf({ cnpj, name, active = true }: NewTenant, now: number): Tenant {
  const trimmed = name.trim()
  if (trimmed.length < 1 || trimmed.length > 200)
    throw new GanchoError('BAD_REQUEST', 'A name has 1 to 200 characters.')
  return { cnpj: parseCnpj(cnpj), name: trimmed, active, createdAt: now, updatedAt: now }
}

const withoutToken = ({ tokenHash: _hash, encryptedToken: _token, ...tenant }: TenantRow): Tenant => tenant
