import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { secondProcessCommand, writeSecondProcessEnv } from '../../src/redis/second-process.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "gancho it's "))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

it('gives a second process the same address, secrets and directory, whatever characters they have', () => {
  const variables = {
    REDIS_URL: 'redis://:p_w-d@127.0.0.1:7000',
    ADMIN_TOKEN: `it's "$HOME" \`x\``,
    ENCRYPTION_SECRET: 'back\\slash',
  }
  writeSecondProcessEnv(dataDir, variables)
  const command = secondProcessCommand(dataDir).replace(
    'npm start',
    `"${process.execPath}" -p 'JSON.stringify(process.env)'`,
  )
  const env = JSON.parse(execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }))
  expect(env).toMatchObject({ ...variables, DATA_DIR: dataDir, ROLE: 'worker', PORT: '0' })
  expect(statSync(join(dataDir, 'second-process.env')).mode & 0o777).toBe(0o600)
})
