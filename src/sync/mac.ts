import { hash } from 'node:crypto'

const blockBytes = 64

/**
 * HMAC-SHA-256 (RFC 2104) under a key of at most 64 bytes, of two hashes in one go each. `createHmac` makes objects of OpenSSL's for it,
 * which takes twice as long where it is as seldom done as replies come.
 */
export function macUnder(key: Uint8Array): (content: string) => Buffer {
  if (key.length > blockBytes) throw new RangeError(`A key of ${key.length} bytes is too long.`)
  const padded = (pad: number) => Buffer.alloc(blockBytes, pad).map((byte, i) => byte ^ (key[i] ?? 0))
  const inner = padded(0x36)
  const outer = padded(0x5c)
  return (content) => {
    const within = hash('sha256', Buffer.concat([inner, Buffer.from(content)]), 'buffer')
    return hash('sha256', Buffer.concat([outer, within]), 'buffer')
  }
}
