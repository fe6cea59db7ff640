import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { printedSchema } from '../../src/graphql/schema.ts'

test('the committed schema.graphql is the one that the code makes (node script/run.mjs script/print-schema.ts writes it)', () => {
  expect(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8')).toBe(printedSchema())
})
