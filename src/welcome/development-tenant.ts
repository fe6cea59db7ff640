import { GanchoError } from '../errors.ts'
import type { TenantService } from '../tenants/tenant-service.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'

export type DevelopmentTenant = { cnpj: string; name: string; token: string }

type Deps = { store: TenantStore; tenants: TenantService; cipher: TokenCipher }

/** A number that passes the check and is widely used in examples. */
const cnpj = '11222333000181'
const name = 'Development'

/**
 * The tenant that a newcomer posts the first event with: made once, its token the same at every start unless it was ended. Undefined
 * when the secrets of this start do not open that token.
 */
export async function developmentTenant({
  store,
  tenants,
  cipher,
}: Deps): Promise<DevelopmentTenant | undefined> {
  const tenant = await store.byCnpj(cnpj)
  if (!tenant) {
    const { token } = await tenants.createTenant({ cnpj, name })
    return { cnpj, name, token }
  }
  const lasting = (await store.tokens([cnpj])).find(
    ({ revokedAt, expiresAt }) => revokedAt === null && expiresAt === null,
  )
  if (!lasting) return { cnpj, name: tenant.name, token: (await tenants.rotateToken(cnpj)).token }
  const token = opened(cipher, lasting.encrypted)
  return token === undefined ? undefined : { cnpj, name: tenant.name, token }
}

function opened(cipher: TokenCipher, encrypted: string): string | undefined {
  try {
    return cipher.decrypt(encrypted)
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'TOKEN_UNREADABLE') return undefined
    throw error
  }
}
