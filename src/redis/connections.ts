import { Redis, type RedisOptions } from 'ioredis'
import type { Logger } from 'pino'

export type Connections = {
  /** For the accept script alone: fails at once or within its timeout, and never sends a command twice by itself. */
  intake: Redis
  /** For callers who wait for an answer: bounded, and never sends a command twice by itself. */
  commands: Redis
  /** For background work that outlives a Redis restart: waits, and repeats what was cut off. Only for commands that may repeat. */
  patient: Redis
  /** A further patient connection, for a reader that blocks or a subscriber. */
  dedicated(name: string): Redis
  close(): Promise<void>
}

type Deps = { url: string; log: Logger; commandTimeoutMs?: number }

/** Leaves time to answer: a caller is told within 2 s, also when Redis hangs. */
const defaultTimeoutMs = 1_500

const impatient = (commandTimeoutMs: number): RedisOptions => ({
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: commandTimeoutMs,
})

/** Opens Gancho's connections; resolves when Redis answers on each of them. */
export async function openConnections(deps: Deps): Promise<Connections> {
  const { url, log, commandTimeoutMs = defaultTimeoutMs } = deps
  const opened: Redis[] = []
  const open = (name: string, options: RedisOptions): Redis => {
    const redis = new Redis(url, {
      connectionName: `gancho-${name}`,
      keepAlive: 10_000,
      retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
      ...options,
    })
    reportTrouble(redis, name, log)
    opened.push(redis)
    return redis
  }
  const patient: RedisOptions = { maxRetriesPerRequest: null }
  const connections = {
    intake: open('intake', impatient(commandTimeoutMs)),
    commands: open('commands', impatient(commandTimeoutMs)),
    patient: open('patient', patient),
    dedicated: (name: string) => open(name, patient),
    async close() {
      for (const redis of opened) redis.disconnect()
    },
  }
  await Promise.all(opened.map(ready))
  return connections
}

function ready(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => redis.once('ready', () => resolve()))
}

/** One line when a connection is lost and one when it is back, however often ioredis tries in between. */
function reportTrouble(redis: Redis, name: string, log: Logger): void {
  let lost = false
  redis.on('error', (error: Error) => {
    if (lost) return
    lost = true
    log.warn({ connection: name, err: error }, 'Redis connection lost, trying again')
  })
  redis.on('ready', () => {
    if (lost) log.info({ connection: name }, 'Redis connection is back')
    lost = false
  })
}
