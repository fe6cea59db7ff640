import { EmbeddedRedisError } from '../../src/redis/embedded-redis-error.ts'
import { requireServer } from '../../src/redis/install-server.ts'

/** Every test runs against real servers, so one has to be there before the first. */
export async function setup(): Promise<void> {
  try {
    await requireServer({ log: console })
  } catch (error) {
    if (!(error instanceof EmbeddedRedisError)) throw error
    console.error(error.message)
    process.exit(1)
  }
}
