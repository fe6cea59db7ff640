import { readdirSync, readFileSync } from 'node:fs'
import { validate } from 'graphql'
import { expect, test } from 'vitest'
import { documentLimits, parseWithin } from '../../src/graphql/document.ts'
import { schema } from '../../src/graphql/schema.ts'

const root = new URL('../../', import.meta.url)
const files = [
  'README.md',
  ...readdirSync(new URL('docs/', root)).flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : [])),
]

const documents = files.flatMap((file) =>
  [...readFileSync(new URL(file, root), 'utf8').matchAll(/^```graphql\n(.*?)^```/gms)].map(
    ([, text = '']) => ({
      file,
      text,
      name: text.trim().split('\n')[0],
    }),
  ),
)

test('the documentation has operations', () => {
  expect(documents.length).toBeGreaterThan(3)
})

test.each(documents)('an operation of $file fits the schema: $name', ({ text }) => {
  expect(validate(schema, parseWithin(documentLimits, text))).toEqual([])
})
