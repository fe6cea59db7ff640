import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'

/** A process that delivers. `seenAt`: when it last told that it lives, in epoch milliseconds of Redis' clock. */
export type SeenWorker = { name: string; seenAt: number }

/** Processes that told so of late, by name; each of them works on every queue. */
export async function seenWorkers(redis: Redis): Promise<SeenWorker[]> {
  const pairs = await redis.zrange(keys.workers, '0', '-1', 'WITHSCORES')
  const workers: SeenWorker[] = []
  for (let at = 0; at + 1 < pairs.length; at += 2)
    workers.push({ name: pairs[at] ?? '', seenAt: Number(pairs[at + 1]) })
  return workers.sort((a, b) => (a.name < b.name ? -1 : 1))
}
