import { randomBytes } from 'node:crypto'
import { GanchoError } from '../errors.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import type { Destination, DestinationSecrets, SigningSecret, StoredDestination } from './destination.ts'

/** 24 to 64 random bytes are asked for (Standard Webhooks 1.0.0, "Signature scheme"). */
const secretBytes = 32
/** Secrets that sign at the same time: each adds a signature to every request. */
const maxSecrets = 5

export const newSigningSecret = (): string => `whsec_${randomBytes(secretBytes).toString('base64')}`

/** Encrypts what must not be read in the database, together with the id, so that it is of no use in another destination's row. */
export function sealDestination(cipher: Pick<TokenCipher, 'encrypt'>, destination: Destination) {
  const { headers, auth, signingSecrets, ...settings } = destination
  const secrets: DestinationSecrets & { id: string } = { id: settings.id, headers, auth, signingSecrets }
  return { ...settings, secrets: cipher.encrypt(JSON.stringify(secrets)) } satisfies StoredDestination
}

/** @throws GanchoError TOKEN_UNREADABLE, also for a text that was moved here from another destination */
export function openDestination(
  cipher: Pick<TokenCipher, 'decrypt'>,
  { secrets, ...settings }: StoredDestination,
): Destination {
  const { id, ...opened }: DestinationSecrets & { id: string } = JSON.parse(cipher.decrypt(secrets))
  if (id !== settings.id)
    throw new GanchoError('TOKEN_UNREADABLE', 'These secrets belong to another destination.')
  return { ...settings, ...opened }
}

/** `secret` in front; those of before end at `endAt`, or earlier if they were to. What has ended is dropped. */
export function rotatedSecrets(
  secrets: readonly SigningSecret[],
  secret: string,
  { now, endAt }: { now: number; endAt: number },
): SigningSecret[] {
  const older = secrets.map((one) => ({ ...one, endsAt: Math.min(one.endsAt ?? endAt, endAt) }))
  const living = older.filter(({ endsAt }) => endsAt > now)
  return [{ secret, endsAt: null }, ...living].slice(0, maxSecrets)
}
