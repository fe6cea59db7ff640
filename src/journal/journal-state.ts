import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

export type JournalState = {
  epoch: string
  /** Id of the last entry that was trimmed, `0-0` when none was. */
  trimmedTo: string
  /** Id of the last entry ever written, `0-0` when none was. */
  lastId: string
}

/**
 * Reads the journal's two ends at one moment. On the connection of a read before it, it tells of the same server, no earlier.
 * `openDataSet` makes a data set where Redis holds none.
 */
export function journalStateReader(
  redis: Redis,
  openDataSet: () => Promise<unknown>,
): () => Promise<JournalState> {
  const run = loadScript(redis, 'journal-state')
  const read = async () => {
    const answer = await run([keys.epoch, keys.trimmedTo, keys.journal], [])
    const [epoch, trimmedTo, lastId] = answer as [string, string, string]
    return { epoch, trimmedTo, lastId }
  }
  return async () => {
    const state = await read()
    if (state.epoch !== '') return state
    await openDataSet()
    const opened = await read()
    if (opened.epoch === '')
      throw new GanchoError('REDIS_UNAVAILABLE', 'The event store was emptied just now.')
    return opened
  }
}
