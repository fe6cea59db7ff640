import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newestVersion } from '../../src/storage/sqlite/migrations.ts'
import { gancho } from '../support/command-line.ts'
import { freePort } from '../support/free-port.ts'
import { startReceiver } from '../support/receiver.ts'
import { startTestRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Finding = { status: 'ok' | 'warn' | 'fail'; name: string; message: string; advice?: string }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>
beforeEach(async () => {
  folder = await temporaryFolder()
  env = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    ADMIN_TOKEN: 'gadm_0123456789abcdef',
    ENCRYPTION_SECRET: 'a secret of sixteen or more',
  }
})
afterEach(() => folder.remove())

async function doctor() {
  const ran = await gancho(['doctor', '--json'], { env, cwd: folder.path })
  const { findings } = JSON.parse(ran.stdout) as { findings: Finding[] }
  const found = (status: Finding['status']) =>
    findings.filter((finding) => finding.status === status).map(({ name }) => name)
  const told = (name: string) => findings.find((finding) => finding.name === name)
  return { ...ran, found, told }
}

test('the doctor finds what is wrong with a Redis, says what to do, shows no secret, and ends with 1', async () => {
  const redis = await startTestRedis({
    config: ['appendonly no', 'maxmemory 0', 'maxmemory-policy allkeys-lru'],
  })
  const settings = new Redis(redis.url)
  await settings.config('SET', 'requirepass', 'a-password')
  settings.disconnect()
  const receiver = await startReceiver((response) => response.end())
  try {
    const url = redis.url.replace('redis://', 'redis://:a-password@')
    Object.assign(env, { REDIS_URL: url, DESTINATION_URL: receiver.url })
    const { code, stdout, found, told } = await doctor()
    expect(code).toBe(1)
    expect(found('fail')).toEqual(['Redis persistence', 'Redis eviction'])
    expect(found('warn')).toEqual(['Redis memory', 'Gancho'])
    expect(told('Redis eviction')).toMatchObject({ advice: 'set maxmemory-policy to noeviction' })
    expect(told('Destination')?.message).toMatch(/takes connections/)
    expect(receiver.received, 'nothing is posted').toEqual([])
    expect(stdout).not.toMatch(/a-password|gadm_|a secret/)
    env.REDIS_URL = redis.url
    const refused = await gancho(['doctor'], { env, cwd: folder.path })
    expect(refused.stdout).toMatch(
      /fail {2}Redis +127\.0\.0\.1:\d+ refuses the account\n +→ put user and password into/,
    )
  } finally {
    await receiver.close()
    await redis.stop()
  }
})

test('the doctor finds variables, database, destination and files that are not right, without a Redis that runs', async () => {
  const path = join(folder.path, 'gancho.db')
  const database = new DatabaseSync(path)
  database.exec(
    `CREATE TABLE schema_migrations (version INTEGER); INSERT INTO schema_migrations VALUES (${newestVersion + 1})`,
  )
  database.close()
  const file = join(folder.path, '.env')
  writeFileSync(file, `ADMIN_TOKEN=gadm_0123456789abcdef\nREDIS_URI=x\n`)
  chmodSync(file, 0o644)
  const closed = await freePort()
  Object.assign(env, {
    GANCHO_ENV_FILE: file,
    REDIS_URL: `redis://127.0.0.1:${closed}`,
    DESTINATION_URL: `http://127.0.0.1:${closed}/events`,
    ENCRYPTION_SECRET: '',
    RETENTION_DAYS: 'x',
  })
  const { code, found, told } = await doctor()
  expect(code).toBe(1)
  expect(found('fail')).toEqual(['Environment', 'Environment', 'Redis', 'Database', 'Destination', 'Secrets'])
  expect(found('warn')).toEqual(['Environment file', 'Environment file', 'Gancho'])
  expect(told('Redis')?.message).toBe(`127.0.0.1:${closed} cannot be reached (ECONNREFUSED)`)
  expect(told('Database')?.message).toContain(
    `schema ${newestVersion + 1}, and this version knows ${newestVersion}`,
  )
  expect(told('Destination')?.message).toContain('(ECONNREFUSED)')
})

test('a doctor asked before the first start has nothing to mend', async () => {
  for (const name of ['ADMIN_TOKEN', 'ENCRYPTION_SECRET']) delete env[name]
  const { code, found } = await doctor()
  expect(code).toBe(0)
  expect(found('fail')).toEqual([])
  expect(found('warn')).toEqual(['Redis', 'Gancho'])
})
