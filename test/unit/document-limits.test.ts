import { expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { documentCaches, documentLimits, parseDocument, parseWithin } from '../../src/graphql/document.ts'

const ofLength = (length: number) => `{ viewer { kind } } #${'x'.repeat(length - 21)}`
const repeated = (count: number, part: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => part(i)).join(' ')

/** The limit that this document is beyond. */
function limitBeyond(text: string): unknown {
  try {
    parseWithin(documentLimits, text)
    return undefined
  } catch (error) {
    if (!(error instanceof GanchoError)) throw error
    expect(error.code).toBe('DOCUMENT_TOO_COMPLEX')
    return error.details
  }
}

test.each([
  { limit: 'characters', max: 65_536, of: ofLength },
  { limit: 'tokens', max: 1_000, of: (count: number) => `{ viewer { ${'kind '.repeat(count - 5)} } }` },
  {
    limit: 'aliases',
    max: 50,
    of: (count: number) => `{ viewer { ${repeated(count, (i) => `a${i}: kind`)} } }`,
  },
  {
    limit: 'aliases',
    max: 50,
    of: (count: number) =>
      `{ viewer { ...f } } fragment f on Viewer { ${repeated(count, (i) => `a${i}: kind`)} }`,
  },
  {
    limit: 'directives',
    max: 50,
    of: (count: number) => `{ viewer { kind ${'@skip(if: false) '.repeat(count)} } }`,
  },
  {
    limit: 'introspections',
    max: 2,
    of: (count: number) => `{ ${repeated(count, (i) => `a${i}: __type(name: "Job") { name }`)} }`,
  },
])('a document has at most $max $limit', ({ limit, max, of }) => {
  expect(limitBeyond(of(max))).toBeUndefined()
  expect(limitBeyond(of(max + 1))).toEqual({ limit, max })
})

test('a mistake is told as such, also where it is about tokens', () => {
  expect(() => parseDocument('{ viewer { 1000 tokens')).toThrow(/Expected Name, found Int/)
})

test('200 documents are remembered, and none that was refused', () => {
  const { documentCache, errorCache } = documentCaches()
  const document = parseDocument('{ viewer { kind } }')
  for (let n = 0; n <= 200; n++) documentCache.set(String(n), document)
  expect([documentCache.get('0'), documentCache.get('200')]).toEqual([undefined, document])
  errorCache.set()
  expect(errorCache.get()).toBeUndefined()
})
