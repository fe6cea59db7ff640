import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { requireServer } from '../../src/redis/install-server.ts'
import { spawnServer } from '../../src/redis/server-process.ts'
import { until } from './client.ts'
import { freePort } from './free-port.ts'
import { startTestRedis, type TestRedis } from './redis.ts'

export type TestSentinelSet = {
  url: string
  master: TestRedis
  replica: TestRedis
  /** How long the master may be silent from now on. */
  takeForDeadAfter(ms: number): Promise<void>
  stop(): Promise<void>
}

const setName = 'main'

/** A master, its replica and one Sentinel on free ports; resolves when the Sentinel knows both. The URL names a Sentinel first that does not run. */
export async function startTestSentinelSet(): Promise<TestSentinelSet> {
  const master = await startTestRedis()
  const replica = await startTestRedis({
    config: [`replicaof 127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay 0'],
  })
  const sentinel = await startSentinel(master.port)
  const stop = async () => {
    await sentinel.stop()
    await Promise.all([master.stop(), replica.stop()])
  }
  const client = new Redis(sentinel.port)
  client.on('error', () => undefined)
  try {
    // By itself it looks for replicas every 10 s.
    await client.call('SENTINEL', 'DEBUG', 'info-period', '300')
    const knowsReplica = async () => {
      const text = String(await client.call('SENTINEL', 'REPLICAS', setName))
      return text.includes(String(replica.port)) && text.includes('master-link-status,ok')
    }
    await until(knowsReplica, { what: 'the Sentinel knows the replica' })
  } catch (error) {
    await stop()
    throw error
  } finally {
    client.disconnect()
  }
  const url = `redis+sentinel://127.0.0.1:${await freePort()},127.0.0.1:${sentinel.port}/${setName}`
  const takeForDeadAfter = async (ms: number) => {
    const asked = new Redis(sentinel.port)
    await asked.call('SENTINEL', 'SET', setName, 'down-after-milliseconds', String(ms))
    asked.disconnect()
  }
  return { url, master, replica, takeForDeadAfter, stop }
}

async function startSentinel(masterPort: number) {
  const dir = await mkdtemp(join(tmpdir(), 'gancho-sentinel-'))
  const binary = join(dir, 'start')
  await writeFile(binary, `#!/bin/sh\nexec "${await requireServer({ log: console })}" "$1" --sentinel\n`, {
    mode: 0o700,
  })
  const port = await freePort()
  const configFile = join(dir, 'sentinel.conf')
  const config = [
    ...[`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`],
    `sentinel monitor ${setName} 127.0.0.1 ${masterPort} 1`,
    // No busy machine has it silent for so long.
    `sentinel down-after-milliseconds ${setName} 20000`,
    `sentinel failover-timeout ${setName} 5000`,
  ]
  await writeFile(configFile, [...config, ''].join('\n'))
  const running = spawnServer({ binary, configFile, logFile: join(dir, 'sentinel.log') })
  const stop = async () => {
    await running.stop()
    await rm(dir, { recursive: true, force: true, maxRetries: 10 })
  }
  return { port, stop }
}
