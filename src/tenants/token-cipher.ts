import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { GanchoError } from '../errors.ts'

const version = 'v1'
const algorithm = 'aes-256-cbc'
const ivBytes = 16
const macBytes = 32

export type TokenCipher = {
  /** Under the newest secret. @returns `v1.` and base64url of IV, ciphertext and MAC; different each time. */
  encrypt(token: string): string
  /** @throws GanchoError TOKEN_UNREADABLE, the same for a changed text, another secret and another format. */
  decrypt(text: string): string
}

/**
 * AES-256-CBC under SHA-256 of the secret, encrypt-then-MAC: HMAC-SHA-256 under a separately derived key covers version, IV and
 * ciphertext, and is checked before anything is decrypted. What older secrets have encrypted is read on.
 */
export function tokenCipher(newest: string, ...older: string[]): TokenCipher {
  const ciphers = [newest, ...older].map(cipherUnder)
  function decrypt(text: string): string {
    const sealed = contentOf(text)
    for (const cipher of ciphers) {
      const token = cipher.decrypt(sealed)
      if (token !== undefined) return token
    }
    throw new GanchoError('TOKEN_UNREADABLE')
  }
  return { encrypt: cipherUnder(newest).encrypt, decrypt }
}

function cipherUnder(secret: string) {
  const key = hash('sha256', secret, 'buffer')
  const macKey = Buffer.from(hkdfSync('sha256', secret, '', 'gancho token MAC v1', macBytes))
  const macOf = (sealed: Buffer) => createHmac('sha256', macKey).update(`${version}.`).update(sealed).digest()

  function encrypt(token: string): string {
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv(algorithm, key, iv)
    const sealed = Buffer.concat([iv, cipher.update(token, 'utf8'), cipher.final()])
    return `${version}.${Buffer.concat([sealed, macOf(sealed)]).toString('base64url')}`
  }

  /** Undefined when the MAC is not this secret's. */
  function decrypt(bytes: Buffer): string | undefined {
    const sealed = bytes.subarray(0, -macBytes)
    if (!timingSafeEqual(bytes.subarray(-macBytes), macOf(sealed))) return undefined
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes))
    return Buffer.concat([decipher.update(sealed.subarray(ivBytes)), decipher.final()]).toString('utf8')
  }

  return { encrypt, decrypt }
}

function contentOf(text: string): Buffer {
  const encoded = text.startsWith(`${version}.`) ? text.slice(version.length + 1) : ''
  const bytes = Buffer.from(encoded, 'base64url')
  // Node skips characters and bits that do not belong to base64url; writing it again shows them.
  const exact = bytes.toString('base64url') === encoded
  if (!exact || bytes.length < ivBytes + macBytes + 16) throw new GanchoError('TOKEN_UNREADABLE')
  return bytes
}
