// Makes sure that a Redis server is there to run, installing one where that is possible.
import { EmbeddedRedisError } from '../src/redis/embedded-redis-error.ts'
import { requireServer } from '../src/redis/install-server.ts'

try {
  console.log(`Redis server: ${await requireServer({ log: console })}`)
} catch (error) {
  if (!(error instanceof EmbeddedRedisError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
