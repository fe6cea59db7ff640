import { lockDataDir } from './data-lock.ts'
import { EmbeddedRedisError } from './embedded-redis-error.ts'
import { requireServer } from './install-server.ts'
import { endLeftoverServer } from './leftover-server.ts'
import { secondProcessCommand } from './second-process.ts'
import { recallAccess, serverFiles } from './server-files.ts'
import { startOnFreePort, startOnPort, urlOf } from './server-start.ts'
import { superviseServer } from './server-supervisor.ts'

type Log = { info(message: string): void; warn(message: string): void; error(message: string): void }
type Options = { dataDir: string; log: Log }

export type EmbeddedRedis = {
  /** `redis://:<password>@127.0.0.1:<port>`; stays the same when the server has to be restarted. */
  url: string
  /** Stops the server cleanly, waits for it (about 30 s at most) and gives the data directory free. */
  close(): Promise<void>
}

const leftoverTimeoutMs = 10_000

/**
 * Starts a Redis or Valkey server that belongs to this process and keeps its data in `dataDir`/redis: loopback only, with a
 * password, append-only file, no eviction. It ends with this process, also when that is killed, and is restarted when it dies
 * itself. Installs a server when the machine has none. One process at a time owns a data directory.
 * @throws EmbeddedRedisError with a message for the person at the terminal.
 */
export async function startEmbeddedRedis({ dataDir, log }: Options): Promise<EmbeddedRedis> {
  if (process.platform === 'win32') {
    const message =
      'On Windows, Gancho cannot start a Redis server by itself: set REDIS_URL to one that runs.'
    throw new EmbeddedRedisError('unsupported', message)
  }
  const files = serverFiles(dataDir)
  const lock = lockDataDir(dataDir)
  if (!lock) throw new EmbeddedRedisError('data-dir-in-use', refusal(dataDir))
  try {
    const closing = new AbortController()
    const server = { binary: await requireServer({ log }), files, log, closing: closing.signal }
    await endLeftoverServer(files, leftoverTimeoutMs)
    const { access, running } = await startOnFreePort(server, recallAccess(files))
    const restart = async () => {
      await endLeftoverServer(files, leftoverTimeoutMs)
      return startOnPort(server, access)
    }
    const supervised = superviseServer({ first: running, restart, log, closing: closing.signal })
    const close = async () => {
      closing.abort()
      await supervised
      lock.release()
    }
    return { url: urlOf(access), close }
  } catch (error) {
    lock.release()
    throw error
  }
}

const refusal = (dataDir: string) =>
  `Another Gancho runs on the data directory ${dataDir} already. To run a second process beside it, paste:\n\n` +
  `  ${secondProcessCommand(dataDir)}\n\nFor a Gancho of its own, set DATA_DIR to another directory.`
