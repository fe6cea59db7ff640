import { GanchoError } from '../errors.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import type { StoredDestination } from './destination.ts'
import { openDestination, sealDestination } from './destination-secrets.ts'
import type { DestinationStore } from './destination-store.ts'

const pageSize = 200

/**
 * Encrypts the secrets of every destination under the newest secret, as `resealTokens` does with tokens. Harmless to repeat; what
 * nobody can read stays as it is, and so does one that is changed at that very moment, which the newest secret has written.
 * @returns ids. @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function resealDestinations(
  store: Pick<DestinationStore, 'list' | 'reseal'>,
  cipher: TokenCipher,
): Promise<{ resealed: string[]; unreadable: string[] }> {
  const result: { resealed: string[]; unreadable: string[] } = { resealed: [], unreadable: [] }
  for (let after: string | undefined; ; ) {
    const page = await store.list({ limit: pageSize, ...(after === undefined ? {} : { after }) })
    for (const stored of page) {
      const secrets = resealed(cipher, stored)
      if (secrets === undefined) result.unreadable.push(stored.id)
      else if (await store.reseal(stored.id, stored.version, secrets)) result.resealed.push(stored.id)
    }
    after = page.at(-1)?.id
    if (page.length < pageSize) return result
  }
}

function resealed(cipher: TokenCipher, stored: StoredDestination): string | undefined {
  try {
    return sealDestination(cipher, openDestination(cipher, stored)).secrets
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'TOKEN_UNREADABLE') return undefined
    throw error
  }
}
