import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { macUnder } from '../../src/sync/mac.ts'

test('it is HMAC-SHA-256, whatever the lengths of key and content', () => {
  for (let length = 0; length <= 64; length += 1) {
    const key = randomBytes(length)
    const mac = macUnder(key)
    for (const content of ['', 'a', 'ção', key.toString('hex'), 'x'.repeat(1_000)])
      expect(mac(content)).toEqual(createHmac('sha256', key).update(content).digest())
  }
})

test('a key that would have to be hashed first is none', () => {
  expect(() => macUnder(randomBytes(65))).toThrow(RangeError)
})
