import { afterAll } from 'vitest'
import { openCore } from './core.ts'
import { startTestRedis } from './redis.ts'

/** A core over a Redis server of its own for the tests of one file; both end after them. */
export async function coreForFile() {
  const server = await startTestRedis()
  const core = await openCore(server.url)
  afterAll(async () => {
    await core.close()
    await server.stop()
  })
  return { server, core }
}
