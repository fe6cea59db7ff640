import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { keys } from './keys.ts'
import { loadScript } from './scripts.ts'

/** What the data set must know of the history database beside it. */
export type HistoryFacts = { id: string; highestNumber: number }

/** Numbers given but not yet in history when Redis was lost, as many as journal and inbox hold; the next ones start beyond them. */
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
 * Finds or makes the epoch, the name of this Redis data set. An empty or replaced Redis gets a new one, and its numbers start
 * above the highest of the history.
 * @throws ForeignDataSetError
 */
export async function openDataSet(
  redis: Redis,
  history: HistoryFacts,
): Promise<{ epoch: string; isNew: boolean }> {
  const run = loadScript(redis, 'open-data-set')
  const args = [randomUUID(), history.id, history.highestNumber, jumpOnLoss]
  const [verdict, value, isNew] = (await run([keys.epoch, keys.history, keys.seq], args)) as [
    string,
    string,
    string,
  ]
  if (verdict === 'other') throw new ForeignDataSetError(history.id, value)
  return { epoch: value, isNew: isNew === '1' }
}
