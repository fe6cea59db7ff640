import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import type { LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import { journalPages } from './journal-pages.ts'
import { JournalRing } from './journal-ring.ts'
import { journalStateReader } from './journal-state.ts'
import { createJournalTail, type TailDeps } from './journal-tail.ts'
import { type GroupLimits, LiveGroups, type Subscriber } from './live-groups.ts'
import type { LiveStream } from './live-stream.ts'

export type LiveJournal = {
  start(): void
  /** The end of the journal now. @throws GanchoError REDIS_UNAVAILABLE */
  end(): Promise<JournalPosition>
  /** The stream must be iterated or closed. @throws GanchoError REDIS_UNAVAILABLE, SHUTTING_DOWN */
  subscribe<Message>(subscriber: Subscriber<Message>): Promise<LiveStream<Message>>
  /** Where it stands; undefined while it reads for nobody. */
  position(): JournalPosition | undefined
  /** How many there are. */
  counts(): { groups: number; subscribers: number }
  /** Ends every stream with SHUTTING_DOWN. */
  close(): Promise<void>
}

export type LiveJournalDeps = Pick<TailDeps, 'reader' | 'openDataSet' | 'log'> & {
  /** For subscribers who wait for an answer. */
  commands: Redis
  /** For what outlives a Redis restart. */
  patient: Redis
  options?: Partial<LiveJournalOptions>
}

type LiveJournalOptions = {
  tail: NonNullable<TailDeps['options']>
  /** What is kept of the journal in memory. */
  ring: LogLimits
  groups: GroupLimits
  /** Entries read at a time for who is behind. */
  pageEntries: number
}

const megabyte = 1_048_576
const defaults: LiveJournalOptions = {
  tail: {},
  ring: { count: 20_000, bytes: 16 * megabyte },
  groups: { group: { count: 10_000, bytes: 16 * megabyte }, totalBytes: 64 * megabyte },
  pageEntries: 500,
}

/** Gives the journal to any number of subscribers in this process by one reader of Redis; each group of them is served once. */
export function createLiveJournal(deps: LiveJournalDeps): LiveJournal {
  const options = { ...defaults, ...deps.options }
  const { reader, openDataSet, log } = deps
  const ring = new JournalRing(options.ring)
  const pages = journalPages({ redis: deps.patient, openDataSet, pageEntries: options.pageEntries })
  const readState = journalStateReader(deps.commands, openDataSet)
  const groups = new LiveGroups({ ring, pages, limits: options.groups })
  const onBatch = groups.notify.bind(groups)
  const tail = createJournalTail({ reader, ring, openDataSet, log, onBatch, options: options.tail })
  let isClosed = false

  const end = async (): Promise<JournalPosition> => {
    const { epoch, lastId } = await readState()
    return { epoch, id: lastId }
  }
  return {
    start: tail.start,
    end,
    async subscribe(subscriber) {
      if (isClosed) throw new GanchoError('SHUTTING_DOWN')
      // The tail waits for Redis; whoever asks is told at once that it is away.
      if (!ring.position) await end()
      const release = tail.retain()
      try {
        await tail.ready()
        if (!ring.position || isClosed) throw new GanchoError('SHUTTING_DOWN')
        return groups.subscribe(subscriber, ring.position, release)
      } catch (error) {
        release()
        throw error
      }
    },
    position: () => ring.position,
    counts: () => groups.counts(),
    async close() {
      isClosed = true
      groups.fail(new GanchoError('SHUTTING_DOWN'))
      await tail.close()
    },
  }
}
