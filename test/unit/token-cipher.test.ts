import { createDecipheriv, createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newTenantToken, tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'

const secret = 'a secret of the tests'
const cipher = tokenCipher(secret)
const unreadable = expect.objectContaining({
  code: 'TOKEN_UNREADABLE',
  message: 'The stored token cannot be read.',
})

describe('an encrypted token', () => {
  it('can be read again with the same secret, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (token) => {
        expect(tokenCipher(secret).decrypt(cipher.encrypt(token))).toBe(token)
      }),
    )
  })

  it('is refused with any one bit flipped', () => {
    const text = cipher.encrypt(newTenantToken())
    const bytes = Buffer.from(text.slice(3), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => cipher.decrypt(`v1.${changed.toString('base64url')}`)).toThrow(unreadable)
    }
  })

  it('is refused with any one character of its text replaced', () => {
    const text = cipher.encrypt('gnt_x')
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 0, maxLength: 2 }), (at, other) => {
        fc.pre(text[at] !== other)
        expect(() => cipher.decrypt(text.slice(0, at) + other + text.slice(at + 1))).toThrow(unreadable)
      }),
    )
  })

  it('is refused when it is cut short, of another version, or no token at all', () => {
    const text = cipher.encrypt('gnt_x')
    for (const wrong of [...Array(text.length).keys()].map((length) => text.slice(0, length)))
      expect(() => cipher.decrypt(wrong)).toThrow(unreadable)
    expect(() => cipher.decrypt(text.replace('v1', 'v2'))).toThrow(unreadable)
    expect(() => cipher.decrypt(`${text}=`)).toThrow(unreadable)
  })

  it('is refused with another secret, with the same words', () => {
    expect(() => tokenCipher('another secret').decrypt(cipher.encrypt('gnt_x'))).toThrow(unreadable)
  })

  it('differs each time and does not show the token', () => {
    const token = newTenantToken()
    const [one, other] = [cipher.encrypt(token), cipher.encrypt(token)]
    expect(one).not.toBe(other)
    expect(Buffer.from(one.slice(3), 'base64url').includes(token)).toBe(false)
  })

  it('is AES-256-CBC under SHA-256 of the secret', () => {
    const bytes = Buffer.from(cipher.encrypt('gnt_x').slice(3), 'base64url')
    const key = createHash('sha256').update(secret).digest()
    const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, 16))
    expect(decipher.update(bytes.subarray(16, -32), undefined, 'utf8') + decipher.final('utf8')).toBe('gnt_x')
  })
})

/** Written once, by the code of the first version; never to be made anew. */
const stored = {
  secret: 'a-secret-of-sixteen',
  token: `gnt_${'A'.repeat(43)}`,
  encrypted:
    'v1._scskoS-6dA6HupqERHMdJgCiCalVmu_9tNH6JWdBBvwcRO4244achke7qPZ-QO7hLxGdpkmx33H4Qkmo5xcdwQxFqvzbJVj5IUTCNuzGkSQafGyM1k3eDUuumORj2D6',
  hash: 'd7abd9e861675b1234fd657255de18648664835f7f2a67a7be5192d40f21e199',
}

it('what a database holds already is still read and found', () => {
  expect(tokenCipher(stored.secret).decrypt(stored.encrypted)).toBe(stored.token)
  expect(tokenHashing(stored.secret)(stored.token)).toBe(stored.hash)
})

describe('a tenant token', () => {
  it('is a prefix and 256 bits that do not repeat', () => {
    const tokens = Array.from({ length: 1_000 }, newTenantToken)
    for (const token of tokens) expect(token).toMatch(/^gnt_[\w-]{43}$/)
    expect(new Set(tokens).size).toBe(1_000)
  })

  it('has one hash for one secret, and another for another', () => {
    const token = newTenantToken()
    expect(tokenHashing(secret)(token)).toBe(tokenHashing(secret)(token))
    expect(tokenHashing(secret)(token)).toMatch(/^[0-9a-f]{64}$/)
    expect(tokenHashing('another')(token)).not.toBe(tokenHashing(secret)(token))
    expect(tokenHashing(secret)(newTenantToken())).not.toBe(tokenHashing(secret)(token))
  })
})
