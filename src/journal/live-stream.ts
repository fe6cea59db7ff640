import { GanchoError } from '../errors.ts'
import { encodeCursor, type JournalPosition } from './cursor.ts'
import type { JournalPages } from './journal-pages.ts'
import { isPassed, type JournalRead } from './journal-read.ts'
import type { JournalRing } from './journal-ring.ts'
import type { LiveBatch, LiveGroup, LogReader } from './live-group.ts'

type Deps = { ring: JournalRing; pages: JournalPages; onClose: () => void }

/** Items read at a time while a subscriber is behind, and about how much is made of them: each subscriber holds its own. */
const replayItems = 100
const replayBytes = 65_536
/** How often it is looked whether the tail has come to the journal that this subscriber is in. */
const waitMs = 250

/**
 * One subscriber of a group, from a position on: first what the journal has kept, at its own pace, then the group's log. It buffers
 * nothing: a batch is made, or looked up, when it is asked for.
 */
export class LiveStream<Message> implements LogReader {
  index: number | undefined
  readonly #group: LiveGroup<Message>
  readonly #deps: Deps
  readonly #broken = new AbortController()
  #position: JournalPosition
  /** Known to be a place in the journal as it is, and not ahead of it. */
  #isOfJournal: boolean
  #isClosed = false
  #wake: (() => void) | undefined

  constructor(group: LiveGroup<Message>, deps: Deps, from: JournalPosition) {
    this.#group = group
    this.#deps = deps
    this.#position = from
    this.#isOfJournal = deps.ring.position !== undefined && isPassed(from, deps.ring.position)
    group.readers.add(this)
  }

  /** Aborted as soon as it is sure to end with an error, which is its reason. */
  get broken(): AbortSignal {
    return this.#broken.signal
  }

  /** Where to resume to miss nothing and get nothing twice. */
  get position(): JournalPosition {
    const { log, position } = this.#group
    const isIdle = this.index !== undefined && this.index >= log.end
    return isIdle && isPassed(this.#position, position) ? position : this.#position
  }

  /** @throws GanchoError SLOW_CONSUMER with `details.cursor`, SHUTTING_DOWN, or what failed the group */
  async *batches(): AsyncGenerator<LiveBatch<Message>, void, undefined> {
    try {
      for (;;) {
        this.broken.throwIfAborted()
        if (this.#isClosed) return
        const batch = this.index === undefined ? await this.#replay() : this.#nextOfLog(this.index)
        if (batch === 'wait') await this.#change()
        else if (batch && !this.#isClosed) yield batch
      }
    } finally {
      this.close()
    }
  }

  wake(): void {
    this.#wake?.()
  }

  fallBehind(): void {
    const details = { cursor: encodeCursor(this.#position) }
    this.fail(new GanchoError('SLOW_CONSUMER', undefined, { details }))
  }

  fail(error: unknown): void {
    if (this.#isClosed) return
    this.#broken.abort(error)
    this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#group.readers.delete(this)
    this.wake()
    this.#deps.onClose()
  }

  /** Resolves when there may be something new. */
  #change(timeoutMs?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs)
    this.#wake = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }

  #nextOfLog(index: number): LiveBatch<Message> | 'wait' | null {
    const { log } = this.#group
    if (index >= log.end) return 'wait'
    const batch = log.at(index)
    // Dropped unread, which `fallBehind` has told already.
    if (!batch) return null
    this.index = index + 1
    const before = this.#position
    // Whoever subscribed a moment before the tail came so far is ahead of the log.
    if (batch.continues && isPassed(batch.to, before)) return null
    this.#position = batch.to
    return batch.continues ? unread(batch, before) : batch
  }

  /** Joins the group's log when that has what comes next, else reads some of the journal for this subscriber alone. */
  async #replay(): Promise<LiveBatch<Message> | null> {
    if (this.#isOfJournal) this.index = this.#group.locate(this.#position)
    if (this.index !== undefined) return null
    const read = await this.#read()
    const batch = await this.#made(read)
    if (this.#isClosed) return null
    // What else was read is read again: by then it may be in the log.
    this.#position = batch?.to ?? read.to
    this.#isOfJournal = true
    // At the end of a journal that the tail has not come to yet.
    if (
      read.items.length === 0 &&
      isPassed(read.to, read.from) &&
      this.#group.locate(this.#position) === undefined
    )
      await this.#change(waitMs)
    return batch
  }

  async #made(read: JournalRead): Promise<LiveBatch<Message> | null> {
    try {
      return (await this.#group.render(read, replayBytes, () => !this.#isClosed)).batch
    } catch (error) {
      if (this.#isClosed) return null
      throw error
    }
  }

  async #read(): Promise<JournalRead> {
    const { ring, pages } = this.#deps
    const from = this.#position
    const index = ring.locate(from)
    if (index === undefined || index >= ring.end || !this.#isOfJournal) return pages(from, replayItems)
    return ring.read(index, from, this.#group.wish.cnpj, replayItems).read
  }
}

/** The batch without what lies before a position: itself where that is all of it, null where nothing is left. */
function unread<Message>(batch: LiveBatch<Message>, position: JournalPosition): LiveBatch<Message> | null {
  const [first] = batch.positions
  if (!first || !isPassed(first, position)) return batch
  const skipped = batch.positions.findIndex((one) => !isPassed(one, position))
  if (skipped < 0) return null
  return { ...batch, messages: batch.messages.slice(skipped), positions: batch.positions.slice(skipped) }
}
