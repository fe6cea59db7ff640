import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireServer } from '../../src/redis/install-server.ts'
import { waitUntilAnswering } from '../../src/redis/server-answers.ts'
import { spawnServer } from '../../src/redis/server-process.ts'
import { freePort } from './free-port.ts'

export type TestRedis = {
  url: string
  port: number
  /** Its data, removed by `stop`. */
  dir: string
  /** Process id of the server, another one after `restart`. */
  readonly pid: number
  /** Ends the server cleanly and removes its data. May be called twice. */
  stop(): Promise<void>
  /** Ends the server cleanly if it runs, and starts it on the same port, with its data or empty. */
  restart(options: { keepData: boolean }): Promise<void>
  /** Kills the server as a crash would; resolves when it is gone. `restart` brings it back. */
  kill9(): Promise<void>
}

/**
 * A Redis server of its own for one test file: free port on 127.0.0.1, append-only file in a temporary directory. It ends with the
 * test process, however that ends. `config`: further lines of redis.conf.
 */
export async function startTestRedis({
  config = [],
}: {
  config?: readonly string[]
} = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'gancho-redis-'))
  const port = await freePort()
  let { running, pid } = await start(dir, port, config)
  return {
    url: urlOf(port),
    port,
    dir,
    get pid() {
      return pid
    },
    stop: async () => {
      await running.stop()
      await rm(dir, { recursive: true, force: true, maxRetries: 10 })
    },
    restart: async ({ keepData }) => {
      await running.stop()
      if (!keepData) await rm(join(dir, 'data'), { recursive: true, force: true, maxRetries: 10 })
      ;({ running, pid } = await start(dir, port, config))
    },
    kill9: async () => {
      process.kill(pid, 'SIGKILL')
      await running.exited
    },
  }
}

const urlOf = (port: number) => `redis://127.0.0.1:${port}`

async function start(dir: string, port: number, config: readonly string[]) {
  const configFile = join(dir, 'redis.conf')
  const logFile = join(dir, 'redis.log')
  const pidFile = join(dir, 'redis.pid')
  const data = join(dir, 'data')
  await mkdir(data, { recursive: true })
  const defaults = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${data}`,
    `pidfile ${pidFile}`,
    'appendonly yes',
    // A kill then loses nothing that was answered. With everysec it does while a flush is under way, for Redis writes to its file later then.
    'appendfsync no',
    'save ""',
    'maxmemory 4gb',
    'maxmemory-policy noeviction',
  ]
  await writeFile(configFile, [...defaults, ...config, ''].join('\n'))
  const running = spawnServer({ binary: await requireServer({ log: console }), configFile, logFile })
  const outcome = await waitUntilAnswering({ url: urlOf(port), exited: running.exited, timeoutMs: 60_000 })
  if (outcome === 'ready') return { running, pid: Number(await readFile(pidFile, 'utf8')) }
  await running.stop()
  throw new Error(`The test's Redis server: ${outcome}.\n${await readFile(logFile, 'utf8')}`)
}
