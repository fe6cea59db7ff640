import { GanchoError } from '../errors.ts'
import type { StoredToken, TenantStore } from './tenant-store.ts'
import { prefixOf, type TokenHash } from './token.ts'
import type { TokenCipher } from './token-cipher.ts'

type Deps = {
  store: Pick<TenantStore, 'tokenPage' | 'resealToken'>
  /** Knows the newest secret and those of before. */
  cipher: TokenCipher
  /** Under the newest secret. */
  hashToken: TokenHash
}

/** `unreadable`: ids of tokens that none of the secrets opens; they stay as they are. */
export type Resealed = { resealed: number; unchanged: number; unreadable: string[] }

const pageSize = 500

/**
 * Encrypts and hashes every token under the newest secret, so that older ones can be given up. Harmless to repeat, to interrupt,
 * and to run while Gancho works, once every instance knows the newest secret.
 * @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function resealTokens(deps: Deps): Promise<Resealed> {
  const result: Resealed = { resealed: 0, unchanged: 0, unreadable: [] }
  for (let after: string | undefined; ; ) {
    const page = await deps.store.tokenPage({ limit: pageSize, ...(after === undefined ? {} : { after }) })
    for (const stored of page) await reseal(deps, stored, result)
    after = page.at(-1)?.id
    if (page.length < pageSize) return result
  }
}

async function reseal({ store, cipher, hashToken }: Deps, stored: StoredToken, result: Resealed) {
  const token = readable(cipher, stored)
  if (token === undefined) {
    result.unreadable.push(stored.id)
    return
  }
  const [hash, prefix] = [hashToken(token), prefixOf(token)]
  const isNewest = hash === stored.hash && prefix === stored.prefix
  const changed =
    !isNewest && (await store.resealToken(stored, { hash, prefix, encrypted: cipher.encrypt(token) }))
  if (changed) result.resealed++
  else result.unchanged++
}

function readable(cipher: TokenCipher, { encrypted }: StoredToken): string | undefined {
  try {
    return cipher.decrypt(encrypted)
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'TOKEN_UNREADABLE') return undefined
    throw error
  }
}
