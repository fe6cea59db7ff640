import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import type { JournalPosition } from './cursor.ts'
import { parseEntry } from './entry.ts'
import { type JournalRead, judgeRead } from './journal-read.ts'
import { journalStateReader } from './journal-state.ts'

/** Reads what follows a position, at most a page of it or `most` entries; empty at the end of the journal. */
export type JournalPages = (after: JournalPosition, most?: number) => Promise<JournalRead>

type Deps = {
  /** A connection that waits while Redis is away. */
  redis: Redis
  openDataSet: () => Promise<unknown>
  pageEntries: number
}

export function journalPages({ redis, openDataSet, pageEntries }: Deps): JournalPages {
  const readState = journalStateReader(redis, openDataSet)
  return async (after, most = pageEntries) => {
    const [entries, state] = await Promise.all([
      redis.xrange(keys.journal, `(${after.id}`, '+', 'COUNT', Math.min(most, pageEntries)),
      readState(),
    ])
    return judgeRead(after, entries.map(parseEntry), state)
  }
}
