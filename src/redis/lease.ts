import type { Redis } from 'ioredis'
import { keys } from './keys.ts'
import { loadScript } from './scripts.ts'

export type Lease = {
  /** Takes or renews the lease; false while another process holds it. */
  hold(): Promise<boolean>
  /** Lets another process take it at once. */
  release(): Promise<void>
}

/** A right that one process at a time has. It ends by itself `ttlMs` after its last renewal, so what it guards must bear a second holder. */
export function createLease(redis: Redis, name: string, owner: string, ttlMs: number): Lease {
  const script = loadScript(redis, 'hold-lease')
  return {
    hold: async () => (await script([keys.lease(name)], [owner, ttlMs])) === 1,
    release: async () => {
      await script([keys.lease(name)], [owner, 0])
    },
  }
}
