import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

/** `oldestMs`: entries from before this time go, however few there are. */
export type JournalBounds = { maxEntries: number; oldestMs: number }

const batchSize = 1_000

/** Removes what is beyond the bounds, except what history has not read yet. Returns how many entries went. */
export async function trimJournal(redis: Redis, { maxEntries, oldestMs }: JournalBounds): Promise<number> {
  const script = loadScript(redis, 'trim')
  let removed = 0
  for (;;) {
    const args = [maxEntries, Math.floor(oldestMs), batchSize]
    const batch = Number(await script([keys.journal, keys.trimmedTo, keys.projected], args))
    removed += batch
    if (batch < batchSize) return removed
  }
}
