import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

type Answer = 'ready' | 'loading' | 'away'
type Options = {
  url: string
  /** The server process: waiting makes no sense once it has ended. */
  exited: Promise<void>
  timeoutMs: number
  /** Called once when loading has taken `slowMs`. */
  onSlow?: () => void
  slowMs?: number
}

/** Waits until the server answers PING, which it refuses while it loads its file. */
export async function waitUntilAnswering(options: Options): Promise<'ready' | 'exited' | 'timeout'> {
  const { slowMs = 3_000 } = options
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  let ended = false
  let told = false
  options.exited.then(() => {
    ended = true
  })
  while (!ended && elapsedMs() < options.timeoutMs) {
    const answer = await ask(options.url)
    if (answer === 'ready') return 'ready'
    if (answer === 'loading' && !told && elapsedMs() > slowMs) {
      told = true
      options.onSlow?.()
    }
    await Promise.race([options.exited, sleep(answer === 'loading' ? 200 : 25)])
  }
  return ended ? 'exited' : 'timeout'
}

async function ask(url: string): Promise<Answer> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    // Also how long ioredis keeps a timer for a connection that was refused.
    disconnectTimeout: 100,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.ping()) === 'PONG' ? 'ready' : 'away'
  } catch (error) {
    return /LOADING/.test(String(error)) ? 'loading' : 'away'
  } finally {
    client.disconnect()
  }
}
