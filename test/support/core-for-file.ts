import { afterAll } from 'vitest'
import { openCore } from './core.ts'
import { startTestRedis } from './redis.ts'

/** A core over a Redis server of its own for the tests of one file; both end after them. */
export async function coreForFile(options: Parameters<typeof openCore>[1] = {}) {
  const server = await startTestRedis()
  const core = await openCore(server.url, options)
  afterAll(async () => {
    await core.close()
    await server.stop()
  })
  return { server, core }
}
