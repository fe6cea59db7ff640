import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

/** Starts Gancho in a folder with that `.env`, where it is not meant to get far. */
function start(text: string, env: Record<string, string> = {}) {
  writeFileSync(join(folder.path, '.env'), text)
  const { status, stderr } = spawnSync(process.execPath, [main], {
    cwd: folder.path,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  })
  return { status, stderr }
}

test('a line of .env that cannot be meant stops the start, and is told with its number', () => {
  expect(start('PORT=4000\nADMIN_TOKEN="open\nnonsense\n')).toEqual({
    status: 1,
    stderr:
      'Gancho cannot start: the environment is not right:\n' +
      '  .env, line 2: the value begins with " and does not end with it on the same line\n' +
      '  .env, line 3: expected NAME=value, a comment after # or nothing\n',
  })
})

test('values of .env are checked as those of the environment are, which count more', () => {
  expect(start('PORT=nowhere\nRETENTION_DAYS=0\n', { RETENTION_DAYS: 'x' })).toEqual({
    status: 1,
    stderr:
      'Gancho cannot start: the environment is not right:\n' +
      '  PORT: expected a whole number from 0 to 65,535, got "nowhere"\n' +
      '  RETENTION_DAYS: expected a whole number from 1 to 36,500, got "x"\n',
  })
})

test('a file that is named has to be there', () => {
  const { status, stderr } = start('', { GANCHO_ENV_FILE: 'production.env' })
  expect(status).toBe(1)
  expect(stderr).toContain('production.env: cannot be read (ENOENT')
})
