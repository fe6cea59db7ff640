// A process that owns an embedded Redis server, as Gancho does: argument 1 is the data directory. Prints its url when it runs, stays
// at SIGINT as Gancho does while it drains, closes at SIGTERM.
import { EmbeddedRedisError } from '../../src/redis/embedded-redis-error.ts'
import { startEmbeddedRedis } from '../../src/redis/embedded-server.ts'

const say = (facts: Record<string, string>) => process.stdout.write(`${JSON.stringify(facts)}\n`)
const log = {
  info: (message: string) => say({ log: message }),
  warn: (message: string) => say({ log: message }),
  error: (message: string) => say({ log: message }),
}

try {
  const redis = await startEmbeddedRedis({ dataDir: process.argv[2] ?? '', log })
  process.on('SIGINT', () => say({ event: 'interrupted' }))
  process.on('SIGTERM', () => redis.close().then(() => say({ event: 'closed' })))
  say({ url: redis.url })
} catch (error) {
  if (!(error instanceof EmbeddedRedisError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
