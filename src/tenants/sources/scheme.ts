import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { GanchoError } from '../../errors.ts'

/** A request as it arrived: nothing is parsed before its signature is known to be right. */
export type SignedRequest = { headers: IncomingHttpHeaders; body: Buffer }

/** What is known of how a source signs; only the generic scheme has any. */
export type SchemeOptions = Readonly<Record<string, string>>

/** One way in which senders sign. */
export type Scheme = {
  /** Checked form of what an administrator gave. @throws GanchoError BAD_REQUEST */
  readOptions(options: Readonly<Record<string, unknown>>): SchemeOptions
  /** Whether a secret can be one of this scheme. */
  isSecret(secret: string): boolean
  /** Whether one of the secrets signed this request, within the time tolerance where the scheme has a time. */
  verify(request: SignedRequest, secrets: readonly string[], options: SchemeOptions, nowMs: number): boolean
}

/** How far a signature's time may be from ours, both ways; what the specifications recommend. */
const toleranceMs = 300_000

/** For schemes that have none. @throws GanchoError BAD_REQUEST */
export function noOptions(options: Readonly<Record<string, unknown>>): SchemeOptions {
  if (Object.values(options).some((value) => value != null))
    throw new GanchoError('BAD_REQUEST', 'Only the scheme HMAC takes header, algorithm, encoding and prefix.')
  return {}
}

/** 8 to 512 printable ASCII characters, blanks among them but at neither end, where they come from copying. */
export const isPlainSecret = (secret: string) => /^[!-~][ -~]{6,510}[!-~]$/.test(secret)

/** Whether a time in whole seconds since 1970, as text, is near enough. */
export function isTimely(seconds: string | undefined, nowMs: number): boolean {
  if (seconds === undefined || !/^\d{1,12}$/.test(seconds)) return false
  return Math.abs(nowMs - Number(seconds) * 1_000) <= toleranceMs
}

export function hmacOf(algorithm: string, secret: string | Buffer, ...parts: (string | Buffer)[]): Buffer {
  const hmac = createHmac(algorithm, secret)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** Whether any of the texts writes one of these digests, in time that tells nothing of where they differ. */
export function matches(
  given: readonly string[],
  encoding: 'hex' | 'base64',
  expected: readonly Buffer[],
): boolean {
  let found = false
  for (const text of given.slice(0, maxSignatures)) {
    const bytes = Buffer.from(text, encoding)
    for (const digest of expected)
      if (bytes.length === digest.length && timingSafeEqual(bytes, digest)) found = true
  }
  return found
}

/** Of one request; no sender needs more to rotate its secrets. */
const maxSignatures = 16

/** A header that came once; undefined without one. */
export function headerOf({ headers }: SignedRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
