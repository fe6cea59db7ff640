import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'

type Deps = {
  store: Pick<TenantStore, 'tokenPage'>
  cipher: Pick<TokenCipher, 'decrypt'>
  log: Pick<Logger, 'warn'>
}

const sample = 20

/**
 * Says so when none of the secrets opens any of some stored tokens: their tenants hear 401, and nothing else would tell why.
 * @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function warnOfOtherSecret({ store, cipher, log }: Deps): Promise<void> {
  const tokens = await store.tokenPage({ limit: sample })
  if (tokens.length === 0 || tokens.some(({ encrypted }) => isReadable(cipher, encrypted))) return
  log.warn(
    'ENCRYPTION_SECRET opens none of the stored tokens, so their tenants are refused; list the secret of before behind it: new,old',
  )
}

function isReadable(cipher: Pick<TokenCipher, 'decrypt'>, encrypted: string): boolean {
  try {
    cipher.decrypt(encrypted)
    return true
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'TOKEN_UNREADABLE') return false
    throw error
  }
}
