import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { readAllowedDocuments } from '../../src/graphql/allowed-documents-file.ts'
import { documentHash as hash } from '../../src/graphql/persisted-documents.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const text = 'query Me { viewer { kind } }'
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.remove())

async function fileWith(content: unknown): Promise<string> {
  const path = join(folder.path, `${hash(JSON.stringify(content))}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

test.each([
  ['GraphQL Code Generator', { [hash(text)]: text }],
  [
    'Apollo',
    {
      format: 'apollo-persisted-query-manifest',
      version: 1,
      operations: [{ id: hash(text), name: 'Me', type: 'query', body: text }],
    },
  ],
])('documents are read as %s writes them', async (_tool, content) => {
  const path = await fileWith(content)
  expect(readAllowedDocuments(path)).toEqual({ documents: new Map([[hash(text), text]]), problems: [] })
  expect(readConfig({ ALLOWED_DOCUMENTS_FILE: path }).ALLOWED_DOCUMENTS_FILE).toEqual(
    new Map([[hash(text), text]]),
  )
})

test.each([
  ['is not valid JSON', '{', 'ALLOWED_DOCUMENTS_FILE: is not valid JSON'],
  [
    'has another form',
    ['x'],
    'ALLOWED_DOCUMENTS_FILE: expected documents by their SHA-256, or a manifest of Apollo',
  ],
  ['has a wrong hash', { abc: text }, 'ALLOWED_DOCUMENTS_FILE: abc: is not the SHA-256 of its document'],
  [
    'has what is no document',
    { [hash('{')]: '{' },
    /is no document: Syntax Error: Expected Name, found <EOF>/,
  ],
])('Gancho does not start with a file that %s', async (_what, content, problem) => {
  const path = await fileWith(content)
  expect(() => readConfig({ ALLOWED_DOCUMENTS_FILE: path })).toThrow(problem)
})

test('nor without the file', () => {
  expect(() => readConfig({ ALLOWED_DOCUMENTS_FILE: '/nowhere' })).toThrow(
    /ALLOWED_DOCUMENTS_FILE: cannot be read/,
  )
})
