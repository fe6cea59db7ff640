import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const reencrypt = fileURLToPath(new URL('../../script/reencrypt.ts', import.meta.url))
const password = 'a password that nothing tells'

let redis: TestRedis
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

beforeAll(async () => {
  redis = await startTestRedis()
  folder = await temporaryFolder()
  writeFileSync(join(folder.path, 'file'), '')
  mkdirSync(join(folder.path, 'broken'))
  writeFileSync(join(folder.path, 'broken', 'gancho.db'), 'no database at all'.repeat(100))
  env = {
    ...{ PATH: process.env.PATH ?? '', PORT: '0', REDIS_URL: redis.url, LOG_LEVEL: 'info' },
    ...{ ADMIN_TOKEN: 'gadm_for-tests-only-0123456789', ENCRYPTION_SECRET: 'a secret for tests only' },
    ...{ DESTINATION_URL: 'http://127.0.0.1:9/', DATA_DIR: folder.path },
  }
})
afterAll(async () => {
  await redis.stop()
  await folder.remove()
})

/** What a process that cannot start says on standard error, and its exit code. */
async function refusal(program: string, more: Record<string, string>) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [said, logged, [code]] = await Promise.all([
    text(child.stderr),
    text(child.stdout),
    once(child, 'exit'),
  ])
  expect(said + logged).not.toContain(password)
  expect(logged).not.toContain('"level":60')
  return { code: code as number | null, lines: said.trimEnd().split('\n') }
}

const oracle = async () => ({
  DB_CONNECT: `127.0.0.1:${await freePort()}/gancho`,
  ...{ DB_USER: 'gancho', DB_PASS: password },
})
const broken = () => ({ DATA_DIR: join(folder.path, 'broken') })
const noFolder = () => ({ DATA_DIR: join(folder.path, 'file') })
const checkOracle = 'Check that it runs, and DB_CONNECT, DB_USER and DB_PASS.'
const checkFolder = 'Check that DATA_DIR is a folder that this account may write to, with room on its disk.'

test.each([
  ['Gancho cannot start', main],
  ['Cannot encrypt anew', reencrypt],
])('%s: a database that cannot be reached is told in one line', async (prefix, program) => {
  for (const [settings, reason, check] of [
    [await oracle(), /NJS-503: .+127\.0\.0\.1/, checkOracle],
    [broken(), /SQLite 26: file is not a database/, checkFolder],
    [noFolder(), /E(EXIST|NOTDIR): .+/, checkFolder],
  ] as const) {
    const { code, lines } = await refusal(program, settings)
    expect(code).toBe(1)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(reason)
    expect(lines[0]?.startsWith(`${prefix}: the database cannot be reached: `)).toBe(true)
    expect(lines[0]?.endsWith(check)).toBe(true)
  }
})

test.each([
  ['Gancho cannot start', main],
  ['Cannot encrypt anew', reencrypt],
])('%s: a wrong environment is told in one line for each variable', async (prefix, program) => {
  const { code, lines } = await refusal(program, { RETENTION_DAYS: 'many', ENCRYPTION_SECRET: 'short' })
  expect(code).toBe(1)
  expect(lines).toEqual([
    `${prefix}: the environment is not right:`,
    expect.stringMatching(/^ {2}(ENCRYPTION_SECRET|RETENTION_DAYS): expected .+, got /),
    expect.stringMatching(/^ {2}(ENCRYPTION_SECRET|RETENTION_DAYS): expected .+, got /),
  ])
})

test('without the secrets there is nothing to encrypt under', async () => {
  const { code, lines } = await refusal(reencrypt, { ENCRYPTION_SECRET: '', REDIS_URL: '' })
  expect([code, lines.length]).toEqual([1, 2])
  expect(lines[1]).toMatch(/^ {2}ENCRYPTION_SECRET: needed/)
})
