import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, expect, it } from 'vitest'
import { requireServer } from '../../src/redis/install-server.ts'
import { waitUntilAnswering } from '../../src/redis/server-answers.ts'
import { recallAccess, serverFiles } from '../../src/redis/server-files.ts'
import { spawnServer } from '../../src/redis/server-process.ts'
import { startOnFreePort } from '../../src/redis/server-start.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

const silent = { info: () => {} }
let redis: TestRedis | undefined

afterEach(() => redis?.stop())

it('counts a server as started only when it has loaded all its data, and says that this takes long', async () => {
  redis = await startTestRedis()
  const client = new Redis(redis.url)
  await client.mset(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`first:${n}`, n])))
  const writes = client.pipeline()
  for (let n = 0; n < 10_000; n++) writes.set(`key:${n}`, n)
  await writes.exec()
  client.disconnect()
  await redis.kill9()

  const configFile = join(redis.dir, 'redis.conf')
  // Redis' own switch for tests: microseconds for each key that it loads, until that was told.
  writeFileSync(configFile, `port ${redis.port}\ndir ${redis.dir}/data\nappendonly yes\nkey-load-delay 500\n`)
  const running = spawnServer({
    binary: await requireServer({ log: silent }),
    configFile,
    logFile: join(redis.dir, 'redis.log'),
  })
  let slow = 0
  try {
    const { url } = redis
    const onSlow = async () => {
      slow += 1
      const loading = new Redis(url, { enableReadyCheck: false })
      await loading.config('SET', 'key-load-delay', 0)
      loading.disconnect()
    }
    expect(
      await waitUntilAnswering({ url, exited: running.exited, timeoutMs: 60_000, slowMs: 100, onSlow }),
    ).toBe('ready')
    const loaded = new Redis(url)
    expect(await loaded.dbsize()).toBe(10_010)
    loaded.disconnect()
    expect(slow).toBe(1)
  } finally {
    await running.stop()
  }
})

it('tells what the log says when the server does not start', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'gancho-broken-'))
  try {
    const files = serverFiles(dataDir)
    // Where the server wants to make its directory, there is a file.
    writeFileSync(join(files.dir, 'appendonlydir'), 'not a directory')
    const binary = await requireServer({ log: silent })
    const server = { binary, files, log: silent, closing: new AbortController().signal }
    await expect(startOnFreePort(server, recallAccess(files))).rejects.toMatchObject({
      problem: 'not-started',
      message: expect.stringMatching(/did not start[\s\S]*redis\.log[\s\S]*appendonlydir/i),
    })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})

it('brings a killed test server back with its data, or empty, on the same port', async () => {
  redis = await startTestRedis()
  const { url, pid } = redis
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  client.on('error', () => {})
  await client.set('kept', 'yes')
  await redis.kill9()
  await redis.restart({ keepData: true })
  expect(await client.get('kept')).toBe('yes')
  expect(redis.pid).not.toBe(pid)
  await redis.restart({ keepData: false })
  expect(await client.get('kept')).toBeNull()
  client.disconnect()
})
