import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { environmentVariables } from '../../src/config.ts'

test('the README names every variable that is read, and no other', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const section = readme.split('## Configuration')[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
  )
  expect(named.toSorted()).toEqual([...environmentVariables].toSorted())
})
