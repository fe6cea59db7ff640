import { Redis } from 'ioredis'
import { type Logger, pino } from 'pino'
import type { JournalPosition } from '../../src/journal/cursor.ts'
import type { JournalItem } from '../../src/journal/journal-read.ts'
import type { GroupWish } from '../../src/journal/live-group.ts'
import { createLiveJournal, type LiveJournalDeps } from '../../src/journal/live-journal.ts'
import type { LiveStream } from '../../src/journal/live-stream.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { keys } from '../../src/redis/keys.ts'
import { patient } from './core.ts'

type Options = {
  log?: Logger
  options?: LiveJournalDeps['options']
  /** May put something in front of what reads the journal. */
  readerOf?: (reader: Redis) => Redis
}

/** A live journal of its own over this Redis, as each instance has one. */
export async function openLiveJournal(
  url: string,
  { log = pino({ level: 'silent' }), options, readerOf = (reader) => reader }: Options = {},
) {
  const connections = await openConnections({ url, log, ...patient })
  const journal = createLiveJournal({
    reader: readerOf(connections.dedicated('journal-tail')),
    commands: connections.commands,
    patient: connections.patient,
    openDataSet: () => connections.patient.set(keys.epoch, `epoch-${Date.now()}`, 'NX'),
    log,
    ...(options && { options }),
  })
  journal.start()
  return {
    journal,
    connections,
    async close() {
      await journal.close()
      await connections.close()
    },
  }
}

export const everything: GroupWish<JournalItem> = {
  cnpj: null,
  matches: () => true,
  render: async (items) => items,
  bytesOf: () => 500,
}

/** Writes status changes the way the scripts do: change `i` is of job `i`. */
export function journalWriter(url: string) {
  const redis = new Redis(url)
  // Its server is stopped under it, and it goes on when that is back.
  redis.on('error', () => undefined)
  let next = 1
  return {
    redis,
    /** Appends that many and returns their job numbers. */
    async append(count: number, cnpjOf: (n: number) => string = () => '11222333000181'): Promise<number[]> {
      const ns = Array.from({ length: count }, (_, i) => next + i)
      next += count
      const change = (n: number) => `${n} QUEUED RECEIVED 0 0 e-${n} ${cnpjOf(n)} d nifi 1700000000000 `
      await redis.pipeline(ns.map((n) => ['xadd', keys.journal, '*', 'change', change(n)])).exec()
      return ns
    },
    close: () => redis.disconnect(),
  }
}

/** What a reader has been given: job numbers, and gaps by their reason. */
export type Seen = (number | string)[]

export const seenOf = (item: JournalItem) => (item.kind === 'gap' ? item.reason : item.entry.n)

/** Reads a stream on and on; `error` is what it ended with. */
export function follow(stream: LiveStream<JournalItem>) {
  const seen: Seen = []
  let position: JournalPosition = stream.position
  let error: unknown
  const done = (async () => {
    try {
      for await (const { messages, positions } of stream.batches()) {
        seen.push(...messages.map(seenOf))
        position = positions.at(-1) ?? position
      }
    } catch (thrown) {
      error = thrown
    }
  })()
  return {
    ...{ seen, done, stream },
    /** Of the last message that was given out. */
    position: () => position,
    error: () => error,
  }
}
