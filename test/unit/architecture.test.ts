import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findCycle, readSource, readSources, type SourceFile } from '../support/source-files.ts'

/** Each part uses only parts of lines above its own; parts of one line do not know each other. */
const order = [
  ['errors'],
  ['redis', 'tracing'],
  ['tenants', 'journal'],
  ['events'],
  ['delivery'],
  ['history'],
  ['sync'],
  ['bulk'],
  ['storage'],
  ['rest', 'graphql'],
  ['http', 'metrics'],
  ['welcome'],
  ['config', 'env-file', 'production'],
  ['app', 'cli'],
  ['main'],
]
const maxLines = 300

const partOf = (path: string) => path.replace(/\.ts$/, '').split('/', 1)[0] ?? ''
const rankOf = (path: string) => order.findIndex((parts) => parts.includes(partOf(path)))

/** Uses that go sideways or up, as `from -> to`. */
const wrongUses = (files: readonly SourceFile[]) =>
  files.flatMap(({ path, uses }) =>
    uses
      .filter((used) => partOf(used) !== partOf(path) && rankOf(used) >= rankOf(path))
      .map((used) => `${path} -> ${used}`),
  )
const outsideApp = ({ path }: SourceFile) => !['app', 'cli', 'main'].includes(partOf(path))
const configUsers = (files: readonly SourceFile[]) =>
  files.filter((file) => outsideApp(file) && file.uses.includes('config.ts')).map(({ path }) => path)
/** The command line speaks to Gancho as everybody does, and shares with it what is pure: settings, versions, the form of answers. */
const sharedWithCommandLine = [
  'config.ts',
  'env-file.ts',
  'redis/check-server.ts',
  'redis/cluster-map.ts',
  'redis/master-connector.ts',
  'redis/redis-address.ts',
  'redis/redis-client.ts',
  'redis/sentinel-map.ts',
  'redis/server-info.ts',
  'storage/oracle/migrations.ts',
  'storage/sqlite/migrations.ts',
]
const borrowedByCommandLine = (files: readonly SourceFile[]) =>
  files
    .filter(({ path }) => partOf(path) === 'cli')
    .flatMap(({ path, uses }) => uses.map((used) => ({ path, used })))
    .filter(({ used }) => partOf(used) !== 'cli' && !sharedWithCommandLine.includes(used))
    .map(({ path, used }) => `${path} -> ${used}`)
const mayReadEnvironment = ['config.ts', 'main.ts', 'production.ts', 'cli/main.ts']
const environmentReaders = (files: readonly SourceFile[]) =>
  files
    .filter(({ path, readsEnvironment }) => readsEnvironment && !mayReadEnvironment.includes(path))
    .map(({ path }) => path)
/** The format of metrics is the business of one part; others are handed functions to report to. */
const metricsUsers = (files: readonly SourceFile[]) =>
  files
    .filter(({ path, packages }) => packages.includes('prom-client') && partOf(path) !== 'metrics')
    .map(({ path }) => path)
const usersOf = (scope: string, files: readonly SourceFile[]) =>
  files.filter(({ packages }) => packages.some((name) => name.startsWith(scope))).map(({ path }) => path)
const tooLong = (files: readonly SourceFile[]) =>
  files.filter(({ lines }) => lines > maxLines).map(({ path }) => path)
const badlyNamed = (files: readonly SourceFile[]) =>
  files
    .map(({ path }) => path)
    .filter((path) => /(^|\/)(index|utils?|helpers?|common)\.ts$/.test(path) || !/^[a-z0-9/.-]+$/.test(path))

const files = readSources(fileURLToPath(new URL('../../src', import.meta.url)))

describe('the source', () => {
  test('was read, and every file belongs to a part', () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['main.ts', 'events/intake.ts', 'storage/sqlite/thread.ts']),
    )
    expect(files.filter(({ path }) => rankOf(path) < 0)).toEqual([])
    const known = new Set(files.map(({ path }) => path))
    expect(files.flatMap(({ uses }) => uses).filter((used) => !known.has(used))).toEqual([])
  })

  test('imports in one direction, from the entry down to the errors', () => {
    expect(wrongUses(files)).toEqual([])
  })

  test('has no cycle, of types neither', () => {
    expect(findCycle(files)).toBeNull()
  })

  test('knows its configuration in the composition root alone', () => {
    expect(configUsers(files)).toEqual([])
  })

  test('has a command line that borrows nothing of the server but what is pure', () => {
    expect(borrowedByCommandLine(files)).toEqual([])
  })

  test('reads the environment in config.ts and the two entries alone', () => {
    expect(environmentReaders(files)).toEqual([])
  })

  test('knows the client of Prometheus in metrics alone', () => {
    expect(metricsUsers(files)).toEqual([])
  })

  test('knows OpenTelemetry in one file alone, which is read only where a collector is named', () => {
    expect(usersOf('@opentelemetry/', files)).toEqual(['tracing/open-telemetry.ts'])
    const importers = files
      .filter(({ uses }) => uses.includes('tracing/open-telemetry.ts'))
      .map(({ path }) => path)
    expect(importers).toEqual(['app/tracing.ts'])
    const [importer] = importers
    const text = readFileSync(new URL(`../../src/${importer}`, import.meta.url), 'utf8')
    expect(text).toContain("await import('../tracing/open-telemetry.ts')")
    expect(text).not.toMatch(/ from '..\/tracing\/open-telemetry\.ts'/)
  })

  test('has no file over 300 lines', () => {
    expect(tooLong(files)).toEqual([])
  })

  test('has no barrel, no drawer and no capital letter among its file names', () => {
    expect(badlyNamed(files)).toEqual([])
  })
})

describe('these rules find', () => {
  const read = (texts: Record<string, string>) =>
    Object.entries(texts).map(([path, text]) => readSource(path, text))

  test.each([
    ['a value', `import { serve } from '../http/server.ts'`],
    ['a type', `import type { Server } from '../http/server.ts'`],
    ['a type where it is used', `export type Mine = import('../http/server.ts').Server`],
    ['an export', `export * from '../http/server.ts'`],
    ['a dynamic import', `export const load = () => import('../http/server.ts')`],
    ['a thread', `export const entry = new URL('../http/server.ts', import.meta.url)`],
  ])('an upward use: %s', (_what, text) => {
    expect(wrongUses(read({ 'events/intake.ts': text }))).toEqual(['events/intake.ts -> http/server.ts'])
    expect(wrongUses(read({ 'app/core.ts': text }))).toEqual([])
  })

  test('a use between parts of one line', () => {
    const text = `import { webhook } from '../rest/webhook.ts'`
    expect(wrongUses(read({ 'graphql/event.ts': text }))).toEqual(['graphql/event.ts -> rest/webhook.ts'])
  })

  test('a part of the server in the command line', () => {
    const text = `import type { Intake } from '../../events/intake.ts'\nimport { readConfig } from '../../config.ts'`
    expect(borrowedByCommandLine(read({ 'cli/commands/send.ts': text }))).toEqual([
      'cli/commands/send.ts -> events/intake.ts',
    ])
  })

  test('a cycle through three files', () => {
    const texts = {
      'redis/a.ts': `import './b.ts'`,
      'redis/b.ts': `import type { C } from './c.ts'`,
      'redis/c.ts': `export { a } from './a.ts'`,
    }
    expect(findCycle(read(texts))).toEqual(['redis/a.ts', 'redis/b.ts', 'redis/c.ts', 'redis/a.ts'])
    expect(findCycle(read({ ...texts, 'redis/c.ts': `import '../errors.ts'` }))).toBeNull()
  })

  test.each([
    `const home = process.env.HOME`,
    `const home = process['env'].HOME`,
    `const { env } = process`,
    `import { env } from 'node:process'`,
  ])('a reader of the environment: %s', (text) => {
    expect(environmentReaders(read({ 'redis/keys.ts': text }))).toEqual(['redis/keys.ts'])
    expect(environmentReaders(read({ 'redis/keys.ts': 'process.exit(1)' }))).toEqual([])
  })

  test('a part that makes metrics of its own', () => {
    const text = `import { Counter } from 'prom-client'`
    expect(metricsUsers(read({ 'rest/a.ts': text, 'metrics/a.ts': text }))).toEqual(['rest/a.ts'])
  })

  test('a user of the configuration, a long file and a bad name', () => {
    expect(configUsers(read({ 'rest/a.ts': `import type { Config } from '../config.ts'` }))).toEqual([
      'rest/a.ts',
    ])
    expect(tooLong(read({ 'rest/a.ts': '// a line\n'.repeat(301) }))).toEqual(['rest/a.ts'])
    expect(
      badlyNamed(read({ 'rest/index.ts': '', 'redis/utils.ts': '', 'http/theServer.ts': '' })),
    ).toHaveLength(3)
  })
})
