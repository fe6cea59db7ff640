import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises'
import { BoundedLog, type LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import type { JournalEntry } from './entry.ts'
import type { Asker } from './fair-queue.ts'
import type { JournalPages } from './journal-pages.ts'
import { isPassed, type JournalItem, type JournalRead } from './journal-read.ts'
import type { JournalRing, RingBatch } from './journal-ring.ts'
import type { Pacer } from './pacer.ts'

/** For making messages piece by piece, so that nothing else in this process has to wait for long. */
export type Pace = {
  asker: Asker
  /** To be awaited before each piece of work. False when nobody wants the messages any more. */
  turn(): Promise<boolean>
}

/** What all subscribers of a group want alike. */
export type GroupWish<Message> = {
  /** Only this tenant's changes; null for everyone's. */
  cnpj: string | null
  /** Groups of one owner share its turns with each other; those without one are of the operators. */
  owner?: string | undefined
  matches(entry: JournalEntry): boolean
  /** Makes one message of each item, in their order. Gets no entry that does not match. */
  render(items: readonly JournalItem[], pace: Pace): Promise<readonly Message[]>
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
/** `rest`: what is still to be rendered of a read, null when that is nothing. */
type Rendered<Message> = { batch: LiveBatch<Message> | null; rest: JournalRead | null }

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
  pacer: Pacer
  /** What is kept for those who read slowly. */
  limits: LogLimits
  /** Told how many bytes more the log holds, or fewer. */
  onWeight: (bytes: number) => void
  onFailure: () => void
}

/** Most items that are rendered together, and about how much is made of them: they share what they read, a body of 1 MB each at worst. */
const mostItems = 50
const partBytes = 1_048_576
/** Expected of a message before one was made. */
const messageBytes = 8_192
/** Looked at together. */
const readItems = 500
/** A group begins where its first subscriber is, when what has happened since is no more than this part of what it may keep. */
const backlogShare = 0.1
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
  #messageBytes = messageBytes
  #isPumping = false
  #isClosed = false

  /** `from`: where its first subscriber is; `at`: where the tail is. */
  constructor(wish: GroupWish<Message>, deps: GroupDeps, from: JournalPosition, at: JournalPosition) {
    this.wish = wish
    this.#deps = deps
    const { ring, limits } = deps
    const index = ring.locate(from)
    const most = backlogShare * limits.count
    const isNear =
      index !== undefined && isPassed(from, at) && ring.read(index, from, wish.cnpj, most).next === ring.end
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

  /**
   * Renders what this group wants of a read: all of it, or a first part of about `bytes`. It may throw anything once it is not wanted
   * any more.
   */
  async render(
    read: JournalRead,
    bytes = partBytes,
    isWanted = () => !this.#isClosed,
  ): Promise<Rendered<Message>> {
    const { cnpj, matches } = this.wish
    const wanted = read.items.filter(
      (item) => item.kind === 'gap' || ((cnpj === null || item.entry.cnpj === cnpj) && matches(item.entry)),
    )
    const part = wanted.slice(0, Math.min(mostItems, Math.max(1, Math.floor(bytes / this.#messageBytes))))
    if (part.length === 0) return { batch: null, rest: null }
    const rendered = await this.wish.render(part, this.#pace(isWanted))
    this.#messageBytes = this.#weightOf(rendered) / rendered.length
    const messages = this.#upTo(bytes, rendered)
    const positions = part.slice(0, messages.length).map(({ position }) => position)
    const isAll = messages.length === wanted.length
    const to = isAll ? read.to : (positions.at(-1) ?? read.to)
    const rest = isAll ? null : { ...read, from: to, items: wanted.slice(messages.length) }
    return { batch: { messages, positions, to }, rest }
  }

  shrink(limits: LogLimits): void {
    const before = this.log.weight.bytes
    const dropped = this.log.shrink(limits)
    if (!dropped) return
    if (this.log.start > this.#eraStart) this.#logFrom = dropped.to
    this.#deps.onWeight(this.log.weight.bytes - before)
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

  /** The first of them, until they are enough: larger ones than those before are rendered again, not kept. */
  #upTo(bytes: number, messages: readonly Message[]): readonly Message[] {
    let weight = 0
    const end = messages.findIndex((message, i) => {
      weight += this.wish.bytesOf(message)
      return i > 0 && weight > bytes
    })
    return end < 0 ? messages : messages.slice(0, end)
  }

  #weightOf(messages: readonly Message[]): number {
    return messages.reduce((sum, message) => sum + this.wish.bytesOf(message), 0)
  }

  #pace(isWanted: () => boolean): Pace {
    const asker = { owner: this.wish.owner, group: this }
    const turn = async () => {
      await this.#deps.pacer.turn(asker)
      return isWanted()
    }
    return { asker, turn }
  }

  #pump(): void {
    if (this.#next >= this.#deps.ring.end) return
    this.#isPumping = true
    this.#renderOn().catch((error) => {
      if (this.#isClosed) return
      this.#deps.onFailure()
      this.fail(error)
    })
  }

  async #renderOn(): Promise<void> {
    while (!this.#isClosed && this.#next < this.#deps.ring.end) {
      let read: JournalRead | null = await this.#read()
      while (read && !this.#isClosed) {
        read = await this.#append(read)
        // Lets subscribers send what they have before there is more.
        await turnOfLoop()
      }
    }
    this.#isPumping = false
    // Whoever waits for a position to be reached finds it now.
    for (const reader of this.readers) reader.wake()
  }

  /** From the ring, or, for a group that is slower than the tail, from Redis until the ring has it again. */
  async #read(): Promise<JournalRead> {
    const { ring, pages } = this.#deps
    if (this.#next >= ring.start) {
      const { read, next } = ring.read(this.#next, this.#position, this.wish.cnpj, readItems)
      this.#next = next
      return read
    }
    const read = await pages(this.#position)
    // Redis may tell of a new journal a moment before the tail does.
    if (read.items.length === 0) await sleep(emptyPauseMs)
    this.#next = ring.locate(read.to) ?? this.#next
    return read
  }

  async #append(read: JournalRead): Promise<JournalRead | null> {
    const { batch, rest } = await this.render(read)
    this.#position = batch?.to ?? read.to
    if (!batch || this.#isClosed) return rest
    const bytes = this.#weightOf(batch.messages)
    this.log.push({ ...batch, continues: read.continues, count: batch.messages.length, bytes })
    if (!read.continues) {
      this.#eraStart = this.log.end
      this.#logFrom = read.to
    }
    this.#deps.onWeight(bytes)
    this.shrink(this.#deps.limits)
    for (const reader of this.readers) reader.wake()
    return rest
  }
}
