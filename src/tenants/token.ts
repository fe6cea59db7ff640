import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

/** A new Bearer token: 256 random bits behind a prefix that secret scanners can look for. */
export const newTenantToken = () => `gnt_${randomBytes(32).toString('base64url')}`

/** What is shown of a token: enough for a person to recognise it, and 24 of its bits. */
export const prefixOf = (token: string) => token.slice(0, 8)

/** Hash of a token, the same for the same token and secret: 64 hexadecimal characters. */
export type TokenHash = (token: string) => string

/**
 * The hash by which a token is looked up. It is keyed (HMAC-SHA-256 under a key of its own, RFC 5869), so that a copy of the
 * database alone does not let anyone test guesses.
 */
export function tokenHashing(secret: string): TokenHash {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'gancho token look-up v1', 32))
  return (token) => createHmac('sha256', key).update(token).digest('hex')
}

/** Whether these hashes are the same, in time that tells nothing of where they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
