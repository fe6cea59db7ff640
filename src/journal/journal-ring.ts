import { BoundedLog, type LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import { entryBytes } from './entry.ts'
import { isPassed, type JournalItem, type JournalRead } from './journal-read.ts'

/** One read of the tail, parted by tenant once for all who follow tenants. */
export type RingBatch = JournalRead & LogLimits & { byCnpj: ReadonlyMap<string, readonly JournalItem[]> }

/** The last part of the journal that the tail has read, in memory, within limits. */
export class JournalRing {
  readonly #log = new BoundedLog<RingBatch>()
  readonly #limits: LogLimits
  /** What is older belongs to a journal that was replaced or went back: positions tell nothing of it. */
  #eraStart = 0
  #position: JournalPosition | undefined

  constructor(limits: LogLimits) {
    this.#limits = limits
  }

  get start(): number {
    return this.#log.start
  }

  get end(): number {
    return this.#log.end
  }

  /** Where the tail stands; undefined while it does not read. */
  get position(): JournalPosition | undefined {
    return this.#position
  }

  /** Forgets everything, and goes on from there. */
  reset(position: JournalPosition | undefined): void {
    this.#log.clear()
    this.#eraStart = this.#log.end
    this.#position = position
  }

  push(read: JournalRead): RingBatch {
    const entries = read.items.filter((item) => item.kind === 'entry')
    const batch = {
      ...read,
      count: read.items.length,
      bytes: entries.reduce((sum, { entry }) => sum + entryBytes(entry), 200),
      byCnpj: Map.groupBy<string, JournalItem>(entries, (item) => ownerOf(item)),
    }
    this.#log.push(batch)
    this.#log.shrink(this.#limits)
    this.#position = read.to
    if (!read.continues) this.#eraStart = this.#log.end
    return batch
  }

  /** Index of the batch where what follows `position` begins, `end` when nothing does yet; undefined when it is not in the ring. */
  locate(position: JournalPosition): number | undefined {
    const { start, end } = this.#log
    if (!this.#position || this.#position.epoch !== position.epoch) return undefined
    if (isPassed(this.#position, position)) return end
    const first = Math.max(start, this.#eraStart)
    const oldest = this.#log.at(first)
    if (!oldest || !isPassed(oldest.from, position)) return undefined
    let [low, high] = [first, end - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      const batch = this.#log.at(middle)
      if (batch && isPassed(batch.to, position)) low = middle + 1
      else high = middle
    }
    return low
  }

  /**
   * What follows `position`, from batch `index` on, for one tenant or for all: about `enough` items or what there is. Returns the index
   * to go on from. A break in the journal is always read alone.
   */
  read(index: number, position: JournalPosition, cnpj: string | null, enough: number) {
    const first = this.#log.at(index)
    if (first && !first.continues)
      return { next: index + 1, read: { ...first, from: position } as JournalRead }
    const items: JournalItem[] = []
    let to = position
    let next = index
    for (let batch = first; batch?.continues && items.length < enough; batch = this.#log.at(next)) {
      const own = cnpj === null ? batch.items : itemsOf(batch, cnpj)
      items.push(...own.filter((item) => !isPassed(item.position, position)))
      if (!isPassed(batch.to, to)) to = batch.to
      next += 1
    }
    return { next, read: { from: position, to, items, continues: true } as JournalRead }
  }
}

const ownerOf = (item: JournalItem) => (item.kind === 'entry' ? item.entry.cnpj : '')

/** A gap, which is always the first, and what is the tenant's. */
function itemsOf(batch: RingBatch, cnpj: string): readonly JournalItem[] {
  const [first] = batch.items
  const own = batch.byCnpj.get(cnpj) ?? []
  return first?.kind === 'gap' ? [first, ...own] : own
}
