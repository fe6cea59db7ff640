import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { keys } from './keys.ts'
import { loadScript } from './scripts.ts'

/** What the data set must know: the history database beside it, and the highest number that anyone knows to be given. */
export type GivenFacts = { historyId: string; highestNumber: number }

/** Numbers given but remembered by nobody when Redis was lost, as many as journal and inbox hold; the next ones start beyond them. */
const jumpOnLoss = 1_000_000

/** This Redis data set belongs to another history database, so two histories would each tell a part. */
export class ForeignDataSetError extends Error {
  constructor(expected: string, found: string) {
    super(
      `this Redis data set belongs to history database ${found}, but this process is connected to ${expected}. ` +
        'Connect both to the same database, or give this process a Redis of its own.',
    )
    this.name = 'ForeignDataSetError'
  }
}

/**
 * Finds or makes the epoch, the name of this Redis data set: an empty or replaced Redis gets a new one. Where Redis knows of fewer
 * numbers than were given, because it was lost or went back to an older state, the next ones start far above.
 * @throws ForeignDataSetError
 */
export async function openDataSet(redis: Redis, { historyId, highestNumber }: GivenFacts): Promise<string> {
  const run = loadScript(redis, 'open-data-set')
  const args = [randomUUID(), historyId, highestNumber, jumpOnLoss]
  const [verdict, value] = (await run([keys.epoch, keys.history, keys.seq], args)) as [string, string]
  if (verdict === 'other') throw new ForeignDataSetError(historyId, value)
  return value
}
