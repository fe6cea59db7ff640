import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyExcerpt } from '../../src/delivery/body-excerpt.ts'

function excerpt(keepBytes: number, ...chunks: Buffer[]): BodyExcerpt {
  const collected = new BodyExcerpt(keepBytes)
  for (const chunk of chunks) collected.add(chunk)
  return collected
}

test('a short body is kept whole, however it was cut into chunks', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, cut) => {
      const bytes = Buffer.from(text)
      const at = cut % (bytes.length + 1)
      expect(excerpt(1000, bytes.subarray(0, at), bytes.subarray(at)).text()).toBe(text)
    }),
  )
})

test('the rest of a long body is counted, not kept, and no half character is left at the cut', () => {
  const collected = excerpt(4, Buffer.from('abcção'), Buffer.from('x'.repeat(1000)))
  expect(collected.text()).toBe('abc')
  expect(collected.seenBytes).toBe(1008)
})

test('bytes that are not UTF-8 become replacement characters', () => {
  expect(excerpt(100, Buffer.from([0x61, 0xff, 0x62, 0xc3])).text()).toBe('a\ufffdb\ufffd')
})

test('keeping a part of a chunk does not keep the memory of the chunk, and later writes to it change nothing', () => {
  const chunk = Buffer.from('abcdef')
  const collected = excerpt(3, chunk)
  chunk.fill(0)
  expect(collected.text()).toBe('abc')
})
