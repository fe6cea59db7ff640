import { expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { documentCaches, parseDocument } from '../../src/graphql/document.ts'

const ofLength = (length: number) => `{ viewer { kind } } #${'x'.repeat(length - 21)}`

test('a document has at most 65,536 characters, comments included', () => {
  expect(parseDocument(ofLength(65_536)).definitions).toHaveLength(1)
  expect(() => parseDocument(ofLength(65_537))).toThrow(GanchoError)
})

test('a document has at most 2,000 tokens', () => {
  expect(parseDocument(`{ viewer { ${'kind '.repeat(1_990)} } }`).definitions).toHaveLength(1)
  expect(() => parseDocument(`{ viewer { ${'kind '.repeat(2_000)} } }`)).toThrow(/tokens/)
})

test('200 documents are remembered, and none that was refused', () => {
  const { documentCache, errorCache } = documentCaches()
  const document = parseDocument('{ viewer { kind } }')
  for (let n = 0; n <= 200; n++) documentCache.set(String(n), document)
  expect([documentCache.get('0'), documentCache.get('200')]).toEqual([undefined, document])
  errorCache.set()
  expect(errorCache.get()).toBeUndefined()
})
