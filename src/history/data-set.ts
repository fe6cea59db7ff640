import type { Redis } from 'ioredis'
import { openDataSet } from '../redis/data-set.ts'
import { keys } from '../redis/keys.ts'
import type { HistoryStore } from './history-store.ts'

/** The Redis data set that this process works on. It changes when Redis loses its data or is replaced while the process runs. */
export type DataSet = {
  /** Its name as last seen. */
  epoch(): string
  /** Asks Redis, and makes a new one where there is none. */
  current(): Promise<string>
  /** Makes or finds it anew; once for all who ask at the same time. @throws ForeignDataSetError */
  reopen(): Promise<string>
}

/** @throws ForeignDataSetError when Redis holds the jobs of another history database. */
export async function createDataSet(redis: Redis, history: HistoryStore): Promise<DataSet> {
  let epoch = ''
  let opening: Promise<string> | undefined

  const open = async () => {
    const [id, written] = await Promise.all([history.id(), history.highestNumber()])
    // A process that had a data set before has given numbers, even when none is written yet.
    const highestNumber = epoch === '' ? written : Math.max(written, 1)
    epoch = (await openDataSet(redis, { id, highestNumber })).epoch
    return epoch
  }
  const reopen = () => {
    opening ??= open().finally(() => {
      opening = undefined
    })
    return opening
  }

  await reopen()
  return {
    epoch: () => epoch,
    async current() {
      return (await redis.get(keys.epoch)) === epoch ? epoch : reopen()
    },
    reopen,
  }
}
