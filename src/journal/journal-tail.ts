import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { keys } from '../redis/keys.ts'
import { repeat } from '../redis/repeat.ts'
import type { JournalPosition } from './cursor.ts'
import { type JournalEntry, parseEntry, type RawEntry } from './entry.ts'
import { isAtOrBefore } from './journal-id.ts'
import { judgeRead } from './journal-read.ts'
import type { JournalRing, RingBatch } from './journal-ring.ts'
import { type JournalState, journalStateReader } from './journal-state.ts'

export type TailDeps = {
  /** A connection of its own: it blocks. It waits, and repeats what was cut off. */
  reader: Redis
  ring: JournalRing
  /** Makes a data set where Redis holds none. */
  openDataSet: () => Promise<unknown>
  log: Logger
  /** Called for each batch, at once after it is in the ring. */
  onBatch: (batch: RingBatch, index: number) => void
  options?: Partial<TailOptions>
}

type TailOptions = {
  /** Longest wait for a change, and so for noticing that the journal is another one. */
  blockMs: number
  /** Pause after a read that found something: what comes in a burst is read in few parts. */
  pauseMs: number
  /** How long it goes on reading for nobody. */
  lingerMs: number
  maxEntries: number
  /** Read from before the end when it begins to read. */
  backfillEntries: number
  /** An answer that is later than the blocking explains is not waited for: the connection is made anew. */
  patienceMs: number
}

const defaults: TailOptions = {
  blockMs: 1_000,
  pauseMs: 5,
  lingerMs: 30_000,
  maxEntries: 2_000,
  backfillEntries: 2_000,
  patienceMs: 5_000,
}

/** A part of it is found by halving, and then read whole. */
const backfillPart = 100

/** Follows the journal of this Redis with one blocking read, as long as somebody wants it. */
export type JournalTail = {
  start(): void
  /** From now on it reads, until everyone has called what this returns. */
  retain(): () => void
  /** Resolves when it reads and the ring has a position. @throws GanchoError SHUTTING_DOWN */
  ready(): Promise<void>
  close(): Promise<void>
}

export function createJournalTail(deps: TailDeps): JournalTail {
  const { reader, ring, log } = deps
  const options = { ...defaults, ...deps.options }
  const readState = journalStateReader(reader, deps.openDataSet)
  let followers = 0
  let leftAt = 0
  let isClosed = false
  let demand = Promise.withResolvers<void>()
  let running = Promise.withResolvers<void>()
  // Whoever waits is told; nobody may be waiting.
  running.promise.catch(() => undefined)

  const readOn = async (from: JournalPosition): Promise<[JournalEntry[], JournalState]> => {
    const block = ['COUNT', options.maxEntries, 'BLOCK', options.blockMs, 'STREAMS', keys.journal] as const
    // Both are sent at once: the state is that of the server that the entries came from, seen when they were read.
    const answers = Promise.all([reader.xread(...block, from.id), readState()])
    const hung = setTimeout(() => reader.disconnect(true), options.blockMs + options.patienceMs)
    hung.unref()
    const [streams, state] = await answers.finally(() => clearTimeout(hung))
    const raw = (streams as [string, RawEntry[]][] | null)?.[0]?.[1] ?? []
    return [raw.map(parseEntry), state]
  }

  const park = async () => {
    ring.reset(undefined)
    running = Promise.withResolvers()
    running.promise.catch(() => undefined)
    demand = Promise.withResolvers()
    await demand.promise
  }

  /** Begins a little before the end: those who come after a restart, all at once, want what happened since. */
  const unpark = async () => {
    const newest = reader.xrevrange(keys.journal, '+', '-', 'COUNT', options.backfillEntries + 1)
    const [found, state] = await Promise.all([newest, readState()])
    const { epoch, lastId } = state
    const [before, ...entries] = found.reverse().map(parseEntry)
    const last = entries.at(-1)
    // In a Redis that was emptied at this very moment, they are no part of what is there now.
    const isThere = before !== undefined && last !== undefined && isAtOrBefore(last.id, lastId)
    ring.reset({ epoch, id: isThere ? before.id : lastId })
    for (let i = 0; isThere && i < entries.length; i += backfillPart) {
      const from = ring.position ?? { epoch, id: before.id }
      ring.push(judgeRead(from, entries.slice(i, i + backfillPart), state))
    }
    running.resolve()
  }

  const turn = async (): Promise<boolean> => {
    const from = ring.position
    if (followers === 0 && Date.now() - leftAt >= options.lingerMs) await park()
    if (isClosed) return false
    if (!from || !ring.position) {
      await unpark()
      return true
    }
    const [entries, state] = await readOn(from)
    const read = judgeRead(from, entries, state)
    if (read.items.length === 0) return true
    deps.onBatch(ring.push(read), ring.end - 1)
    await sleep(options.pauseMs, undefined, { ref: false })
    return true
  }

  const repeating = repeat({ name: 'journal tail', log, everyMs: options.blockMs, turn })
  return {
    start: repeating.start,
    retain() {
      followers += 1
      demand.resolve()
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        followers -= 1
        leftAt = Date.now()
      }
    },
    ready: () => running.promise,
    async close() {
      isClosed = true
      const stopped = repeating.stop()
      demand.resolve()
      running.reject(new GanchoError('SHUTTING_DOWN'))
      reader.disconnect()
      await stopped
    },
  }
}
