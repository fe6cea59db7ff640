import type { Redis } from 'ioredis'
import { openDataSet } from '../redis/data-set.ts'
import { keys } from '../redis/keys.ts'
import { sharedRun } from '../redis/shared-run.ts'
import type { HistoryStore } from './history-store.ts'

/** The Redis data set that this process works on. It changes when Redis loses its data or is replaced while the process runs. */
export type DataSet = {
  /** Its name as last seen. */
  epoch(): string
  /** Asks Redis, and makes a new one where there is none. */
  current(): Promise<string>
  /** Makes or finds it anew; once for all who ask at the same time. @throws ForeignDataSetError */
  reopen(): Promise<string>
  /** Remembers that this process was given number `n`. */
  given(n: number): void
  /** The highest of those: a Redis that knows of fewer has gone back to an older state. */
  highestGiven(): number
}

/** @throws ForeignDataSetError when Redis holds the jobs of another history database. */
export async function createDataSet(redis: Redis, history: HistoryStore): Promise<DataSet> {
  const historyId = await history.id()
  let epoch = ''
  let highestGiven = 0

  /** History need not be asked for a data set that is still there: this process knows what it was given itself. */
  const reopen = sharedRun(async () => {
    const isThere = epoch !== '' && (await redis.get(keys.epoch)) === epoch
    const written = isThere ? 0 : await history.highestNumber()
    // A process that had a data set before has seen numbers given, even when none is written yet.
    const atLeast = epoch === '' || isThere ? 0 : 1
    const highestNumber = Math.max(written, highestGiven, atLeast)
    epoch = await openDataSet(redis, { historyId, highestNumber })
    return epoch
  })

  await reopen()
  return {
    epoch: () => epoch,
    async current() {
      return (await redis.get(keys.epoch)) === epoch ? epoch : reopen()
    },
    reopen,
    given(n) {
      if (n > highestGiven) highestGiven = n
    },
    highestGiven: () => highestGiven,
  }
}
