import { GanchoError } from '../../errors.ts'
import type { TokenCipher } from '../token-cipher.ts'
import type { SourceStore } from './source-store.ts'

/**
 * Encrypts the secrets of every source under the newest secret, as `resealTokens` does with tokens. Harmless to repeat, and to run
 * while they are replaced: whoever replaces them meanwhile does so under the newest secret. What nobody can read stays as it is.
 * @returns ids. @throws GanchoError DATABASE_UNAVAILABLE
 */
export async function resealSources(
  store: Pick<SourceStore, 'all' | 'setSecrets'>,
  cipher: TokenCipher,
): Promise<{ resealed: string[]; unreadable: string[] }> {
  const result: { resealed: string[]; unreadable: string[] } = { resealed: [], unreadable: [] }
  for (const { id, secrets, secretsVersion } of await store.all()) {
    const readable = unsealed(cipher, secrets)
    if (readable === undefined) result.unreadable.push(id)
    else if (await store.setSecrets(id, cipher.encrypt(readable), secretsVersion)) result.resealed.push(id)
  }
  return result
}

function unsealed(cipher: TokenCipher, secrets: string): string | undefined {
  try {
    return cipher.decrypt(secrets)
  } catch (error) {
    if (error instanceof GanchoError && error.code === 'TOKEN_UNREADABLE') return undefined
    throw error
  }
}
