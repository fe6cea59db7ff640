import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { environmentVariables, readConfig } from '../../src/config.ts'
import { readEnvFile } from '../../src/env-file.ts'

const textOf = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const example = textOf('.env.example')
const shown = /^#([A-Z][A-Z_]*)=(.*)$/
const all = environmentVariables.toSorted()

test('the README names every variable that is read, and no other', () => {
  const section = textOf('README.md').split('## Configuration')[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
  )
  expect(named.toSorted()).toEqual(all)
})

test('so does the example of an environment file, with a line of meaning before each or a few of them', () => {
  const lines = example.split('\n')
  const named = lines.flatMap((line) => shown.exec(line)?.[1] ?? [])
  expect(named.toSorted()).toEqual(all)
  const without = lines.filter((line, at) => shown.test(line) && lines[at - 1] === '')
  expect(without).toEqual([])
})

test('the example sets nothing as it is, and with its marks taken away it sets what is the default anyway', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gancho-example-'))
  try {
    const valuesOf = (text: string) => {
      const path = join(folder, 'env')
      writeFileSync(path, text, { mode: 0o600 })
      return readEnvFile({ named: path, known: environmentVariables })
    }
    expect(valuesOf(example)).toEqual({ values: {}, warnings: [] })
    const uncommented = example
      .split('\n')
      .map((line) => (shown.test(line) ? line.slice(1) : line))
      .join('\n')
    const { values, warnings } = valuesOf(uncommented)
    expect(warnings).toEqual([])
    const isSet = ([, value]: [string, unknown]) => !(Array.isArray(value) && value.length === 0)
    const withDefault = Object.entries(readConfig({}))
      .filter(isSet)
      .map(([name]) => name)
    expect(
      Object.keys(values)
        .filter((name) => values[name])
        .toSorted(),
    ).toEqual(withDefault.toSorted())
    // A schedule that is given is one's own, and ends by itself.
    expect(readConfig(values)).toEqual(readConfig({}))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
