import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import { journalPages } from './journal-pages.ts'
import { JournalRing, type RingBatch } from './journal-ring.ts'
import { journalStateReader } from './journal-state.ts'
import { createJournalTail, type TailDeps } from './journal-tail.ts'
import { type GroupWish, LiveGroup } from './live-group.ts'
import { LiveStream } from './live-stream.ts'

/** Subscribers with the same `key` must wish for the same: they share what is made for the first of them. */
export type Subscriber<Message> = {
  key: string
  wish: GroupWish<Message>
  /** What it has got already. */
  after: JournalPosition
}

export type LiveJournal = {
  start(): void
  /** The end of the journal now. @throws GanchoError REDIS_UNAVAILABLE */
  end(): Promise<JournalPosition>
  /** The stream must be iterated or closed. @throws GanchoError REDIS_UNAVAILABLE, SHUTTING_DOWN */
  subscribe<Message>(subscriber: Subscriber<Message>): Promise<LiveStream<Message>>
  /** How many there are. */
  counts(): { groups: number; subscribers: number }
  /** Ends every stream with SHUTTING_DOWN. */
  close(): Promise<void>
}

type Deps = Pick<TailDeps, 'reader' | 'openDataSet' | 'log'> & {
  /** For subscribers who wait for an answer. */
  commands: Redis
  /** For what outlives a Redis restart. */
  patient: Redis
  log: Logger
  options?: Partial<LiveJournalOptions>
}

type LiveJournalOptions = {
  tail: TailDeps['options']
  /** What is kept of the journal in memory. */
  ring: LogLimits
  /** What is kept of each group's messages, for those who read slowly. */
  group: LogLimits
  /** What is kept of all groups' messages together, about. */
  groupsBytes: number
  pageEntries: number
}

const megabyte = 1_048_576
const defaults: LiveJournalOptions = {
  tail: {},
  ring: { count: 20_000, bytes: 16 * megabyte },
  group: { count: 10_000, bytes: 16 * megabyte },
  groupsBytes: 64 * megabyte,
  pageEntries: 500,
}
/** However many groups there are. */
const leastGroupBytes = 32_768

// biome-ignore lint/suspicious/noExplicitAny: groups of different messages stand side by side, each found by its own key.
type AnyGroup = LiveGroup<any>

/** Gives the journal to any number of subscribers in this process by one reader of Redis; each group of them is served once. */
export function createLiveJournal(deps: Deps): LiveJournal {
  const options = { ...defaults, ...deps.options }
  const { openDataSet, log } = deps
  const ring = new JournalRing(options.ring)
  const pages = journalPages({ redis: deps.patient, openDataSet, pageEntries: options.pageEntries })
  const readState = journalStateReader(deps.commands, openDataSet)
  const groups = new Map<string, AnyGroup>()
  const byCnpj = new Map<string | null, Set<AnyGroup>>()
  let isClosed = false

  const limits = () => {
    const share = Math.max(leastGroupBytes, options.groupsBytes / Math.max(1, groups.size))
    return { count: options.group.count, bytes: Math.min(options.group.bytes, share) }
  }
  const onBatch = (batch: RingBatch, index: number) => {
    const concerned =
      batch.items[0]?.kind === 'gap'
        ? [...groups.values()]
        : [null, ...batch.byCnpj.keys()].flatMap((cnpj) => [...(byCnpj.get(cnpj) ?? [])])
    for (const group of concerned) group.notify(batch, index)
  }
  const tail = createJournalTail({
    ...{ reader: deps.reader, ring, openDataSet, log, onBatch },
    options: options.tail,
  })

  const drop = (key: string, group: AnyGroup) => {
    group.close()
    if (groups.get(key) !== group) return
    groups.delete(key)
    const { cnpj } = group.wish
    const siblings = byCnpj.get(cnpj)
    siblings?.delete(group)
    if (siblings?.size === 0) byCnpj.delete(cnpj)
  }
  const openGroup = (key: string, wish: GroupWish<unknown>, from: JournalPosition, at: JournalPosition) => {
    const onFailure = () => drop(key, group)
    const group: AnyGroup = new LiveGroup<unknown>(wish, { ring, pages, limits, onFailure }, from, at)
    groups.set(key, group)
    byCnpj.set(wish.cnpj, (byCnpj.get(wish.cnpj) ?? new Set()).add(group))
    // Each has a smaller share now.
    for (const one of groups.values()) one.shrink()
    return group
  }
  const endOfJournal = async (): Promise<JournalPosition> => {
    const { epoch, lastId } = await readState()
    return { epoch, id: lastId }
  }
  const stream = <Message>(
    key: string,
    wish: GroupWish<Message>,
    from: JournalPosition,
    release: () => void,
  ) => {
    const at = ring.position
    if (!at || isClosed) throw new GanchoError('SHUTTING_DOWN')
    const group: LiveGroup<Message> = groups.get(key) ?? openGroup(key, wish as GroupWish<unknown>, from, at)
    const onClose = () => {
      release()
      if (group.readers.size === 0) drop(key, group)
    }
    return new LiveStream(group, { ring, pages, onClose }, from)
  }

  return {
    start: tail.start,
    end: endOfJournal,
    async subscribe({ key, wish, after }) {
      if (isClosed) throw new GanchoError('SHUTTING_DOWN')
      // The tail waits for Redis; whoever asks is told at once that it is away.
      if (!ring.position) await endOfJournal()
      const release = tail.retain()
      try {
        await tail.ready()
        return stream(key, wish, after, release)
      } catch (error) {
        release()
        throw error
      }
    },
    counts: () => ({
      groups: groups.size,
      subscribers: groups.values().reduce((sum, { readers }) => sum + readers.size, 0),
    }),
    async close() {
      isClosed = true
      for (const group of [...groups.values()]) group.fail(new GanchoError('SHUTTING_DOWN'))
      await tail.close()
    },
  }
}
