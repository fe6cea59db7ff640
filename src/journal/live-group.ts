import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises'
import { BoundedLog, type LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import type { JournalEntry } from './entry.ts'
import type { JournalPages } from './journal-pages.ts'
import { isPassed, type JournalItem, type JournalRead } from './journal-read.ts'
import type { JournalRing, RingBatch } from './journal-ring.ts'

/** What all subscribers of a group want alike. */
export type GroupWish<Message> = {
  /** Only this tenant's changes; null for everyone's. */
  cnpj: string | null
  matches(entry: JournalEntry): boolean
  /** Makes one message of each item, in their order. Gets no entry that does not match. */
  render(items: readonly JournalItem[]): Promise<readonly Message[]>
  /** Memory that a message takes, about. */
  bytesOf(message: Message): number
}

/** Some messages, at least one. One object for all subscribers that get exactly these. */
export type LiveBatch<Message> = {
  messages: readonly Message[]
  /** Of each message. */
  positions: readonly JournalPosition[]
  /** Where reading goes on behind them. */
  to: JournalPosition
}
type LoggedBatch<Message> = LiveBatch<Message> & LogLimits & { continues: boolean }

/** Somebody who reads the log by index, at its own pace. */
export type LogReader = {
  /** Index of the next batch, undefined until it has joined. */
  index: number | undefined
  /** There may be more in the log. */
  wake(): void
  /** What it should read next is no longer there. */
  fallBehind(): void
  fail(error: unknown): void
}

export type GroupDeps = {
  ring: JournalRing
  pages: JournalPages
  limits: () => LogLimits
  onFailure: () => void
}

/** Items rendered together: they share what they read. */
const partItems = 500
/** A group begins where its first subscriber is, when that is no further back than this many batches of the ring. */
const maxBatchesBack = 100
const emptyPauseMs = 20

/** Renders the journal once for all subscribers that want the same, into a log that each of them reads by index. */
export class LiveGroup<Message> {
  readonly wish: GroupWish<Message>
  readonly readers = new Set<LogReader>()
  readonly log = new BoundedLog<LoggedBatch<Message>>()
  readonly #deps: GroupDeps
  /** Index in the ring of what is to be rendered next. */
  #next: number
  #position: JournalPosition
  /** Everything behind it is in the log, as far as it is rendered. */
  #logFrom: JournalPosition
  #eraStart = 0
  #isPumping = false
  #isClosed = false

  /** `from`: where its first subscriber is; `at`: where the tail is. */
  constructor(wish: GroupWish<Message>, deps: GroupDeps, from: JournalPosition, at: JournalPosition) {
    this.wish = wish
    this.#deps = deps
    const { ring } = deps
    const index = ring.locate(from)
    const isNear = index !== undefined && ring.end - index <= maxBatchesBack && isPassed(from, at)
    this.#next = isNear ? index : ring.end
    this.#position = isNear ? from : at
    this.#logFrom = this.#position
    this.#pump()
  }

  /** The place up to which nothing is missing in the log. */
  get position(): JournalPosition {
    return this.#isPumping ? this.#position : (this.#deps.ring.position ?? this.#position)
  }

  /** A batch with something for this group is in the ring; those since the last one had nothing. */
  notify(batch: RingBatch, index: number): void {
    if (this.#isPumping) return
    this.#next = index
    this.#position = batch.from
    this.#pump()
  }

  /** Index in the log where what follows `position` begins; undefined when the log does not tell that. */
  locate(position: JournalPosition): number | undefined {
    if (!isPassed(this.#logFrom, position) || this.position.epoch !== position.epoch) return undefined
    let index = this.log.end
    const first = Math.max(this.log.start, this.#eraStart)
    for (let before = this.log.at(index - 1); index > first && before; before = this.log.at(index - 1)) {
      if (isPassed(before.to, position)) break
      index -= 1
    }
    return index
  }

  /** What of it this group wants, rendered; null when that is nothing. */
  async render({ items, to }: JournalRead): Promise<LiveBatch<Message> | null> {
    const { cnpj, matches, render } = this.wish
    const wanted = items.filter(
      (item) => item.kind === 'gap' || ((cnpj === null || item.entry.cnpj === cnpj) && matches(item.entry)),
    )
    if (wanted.length === 0) return null
    const positions = wanted.map(({ position }) => position)
    return { messages: await render(wanted), positions, to }
  }

  shrink(): void {
    const dropped = this.log.shrink(this.#deps.limits())
    if (!dropped) return
    if (this.log.start > this.#eraStart) this.#logFrom = dropped.to
    for (const reader of this.readers) {
      if (reader.index !== undefined && reader.index < this.log.start) reader.fallBehind()
    }
  }

  fail(error: unknown): void {
    this.#isClosed = true
    for (const reader of [...this.readers]) reader.fail(error)
  }

  close(): void {
    this.#isClosed = true
  }

  #pump(): void {
    if (this.#next >= this.#deps.ring.end) return
    this.#isPumping = true
    this.#renderOn().catch((error) => {
      this.#deps.onFailure()
      this.fail(error)
    })
  }

  async #renderOn(): Promise<void> {
    while (!this.#isClosed && this.#next < this.#deps.ring.end) {
      await this.#append(await this.#read())
      // Lets subscribers send what they have before there is more.
      await turnOfLoop()
    }
    this.#isPumping = false
    // Whoever waits for a position to be reached finds it now.
    for (const reader of this.readers) reader.wake()
  }

  /** From the ring, or, for a group that is slower than the tail, from Redis until the ring has it again. */
  async #read(): Promise<JournalRead> {
    const { ring, pages } = this.#deps
    if (this.#next >= ring.start) {
      const { read, next } = ring.read(this.#next, this.#position, this.wish.cnpj, partItems)
      this.#next = next
      return read
    }
    const read = await pages(this.#position)
    // Redis may tell of a new journal a moment before the tail does.
    if (read.items.length === 0) await sleep(emptyPauseMs)
    this.#next = ring.locate(read.to) ?? this.#next
    return read
  }

  async #append(read: JournalRead): Promise<void> {
    const batch = await this.render(read)
    this.#position = read.to
    if (!batch || this.#isClosed) return
    const bytes = batch.messages.reduce((sum, message) => sum + this.wish.bytesOf(message), 0)
    this.log.push({ ...batch, continues: read.continues, count: batch.messages.length, bytes })
    if (!read.continues) {
      this.#eraStart = this.log.end
      this.#logFrom = read.to
    }
    this.shrink()
    for (const reader of this.readers) reader.wake()
  }
}
