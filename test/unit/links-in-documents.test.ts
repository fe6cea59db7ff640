import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }

const root = fileURLToPath(new URL('../..', import.meta.url))
const documentsIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
const documents = [...documentsIn('.'), ...documentsIn('docs')]
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** Files that a document links to, seen from the root. */
const linked = (path: string) =>
  [...read(path).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, to = '']) =>
    join(dirname(path), to),
  )

test.each(documents)('every file that %s links to is there', (path) => {
  expect(linked(path).filter((to) => !existsSync(join(root, to)))).toEqual([])
})

test('the README leads to every other document', () => {
  const found = new Set(['README.md', ...linked('README.md')])
  expect(documents.filter((path) => !found.has(path))).toEqual([])
})

test.each([...documents, '.github/workflows/ci.yml'])(
  'every npm script and file of the house that %s names is there',
  (path) => {
    const text = read(path)
    const scripts = [...text.matchAll(/npm run (?:-s |--silent )?([a-z][a-z0-9:]*)/g)].map(
      ([, name = '']) => name,
    )
    expect(scripts.filter((name) => !(name in packageJson.scripts))).toEqual([])
    const files = [...text.matchAll(/`((?:src|test|script)\/[\w./-]+\.(?:ts|mjs|lua))`/g)].map(
      ([, name = '']) => name,
    )
    expect(files.filter((name) => !existsSync(join(root, name)))).toEqual([])
  },
)
