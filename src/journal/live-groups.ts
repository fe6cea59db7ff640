import type { LogLimits } from './bounded-log.ts'
import type { JournalPosition } from './cursor.ts'
import type { JournalPages } from './journal-pages.ts'
import type { JournalRing, RingBatch } from './journal-ring.ts'
import { type GroupWish, LiveGroup } from './live-group.ts'
import { LiveStream } from './live-stream.ts'
import { Pacer } from './pacer.ts'

/** Subscribers with the same `key` must wish for the same: they share what is made for the first of them. */
export type Subscriber<Message> = {
  key: string
  wish: GroupWish<Message>
  /** What it has got already. */
  after: JournalPosition
  /** Called once, when its stream has ended. */
  onClose?: (() => void) | undefined
}

/** What is kept of messages, for those who read slowly. */
export type GroupLimits = {
  /** Of one group. */
  group: LogLimits
  /** Of all groups together, about: beyond it, the largest gives way. */
  totalBytes: number
}

type Deps = { ring: JournalRing; pages: JournalPages; limits: GroupLimits }

// biome-ignore lint/suspicious/noExplicitAny: groups of different messages stand side by side, each found by its own key.
type AnyGroup = LiveGroup<any>

/** The groups of subscribers of this process; each is told of what concerns it, and gone with its last subscriber. */
export class LiveGroups {
  readonly #deps: Deps
  readonly #pacer = new Pacer()
  readonly #groups = new Map<string, AnyGroup>()
  /** By the tenant that they follow; null for those that follow all. */
  readonly #byCnpj = new Map<string | null, Set<AnyGroup>>()
  #bytes = 0

  constructor(deps: Deps) {
    this.#deps = deps
  }

  counts(): { groups: number; subscribers: number } {
    const subscribers = this.#groups.values().reduce((sum, { readers }) => sum + readers.size, 0)
    return { groups: this.#groups.size, subscribers }
  }

  /** Memory that the logs of all groups take, about. */
  bytes(): number {
    return this.#bytes
  }

  /** For a batch that was just put into the ring as number `index`. A gap concerns everyone. */
  notify(batch: RingBatch, index: number): void {
    if (batch.items[0]?.kind === 'gap') {
      for (const group of this.#groups.values()) group.notify(batch, index)
      return
    }
    for (const cnpj of [null, ...batch.byCnpj.keys()]) {
      for (const group of this.#byCnpj.get(cnpj) ?? []) group.notify(batch, index)
    }
  }

  /** `at`: where the tail is. `onClose` is called once, when the stream has ended. */
  subscribe<Message>(
    subscriber: Subscriber<Message>,
    at: JournalPosition,
    onClose: () => void,
  ): LiveStream<Message> {
    const { key, wish, after } = subscriber
    const { ring, pages } = this.#deps
    const group: LiveGroup<Message> =
      this.#groups.get(key) ?? this.#open(key, wish as GroupWish<unknown>, after, at)
    const close = () => {
      if (group.readers.size === 0) this.#drop(key, group)
      subscriber.onClose?.()
      onClose()
    }
    return new LiveStream(group, { ring, pages, onClose: close }, after)
  }

  /** Ends every stream with this error. */
  fail(error: unknown): void {
    for (const group of [...this.#groups.values()]) group.fail(error)
  }

  #open(key: string, wish: GroupWish<unknown>, from: JournalPosition, at: JournalPosition): AnyGroup {
    const { ring, pages, limits } = this.#deps
    const parts = {
      ...{ ring, pages, pacer: this.#pacer, limits: limits.group },
      onWeight: (bytes: number) => this.#weigh(bytes),
      onFailure: () => this.#drop(key, group),
    }
    const group: AnyGroup = new LiveGroup<unknown>(wish, parts, from, at)
    this.#groups.set(key, group)
    this.#byCnpj.set(wish.cnpj, (this.#byCnpj.get(wish.cnpj) ?? new Set()).add(group))
    return group
  }

  #weigh(bytes: number): void {
    this.#bytes += bytes
    if (bytes <= 0) return
    const weightOf = (group: AnyGroup) => group.log.weight.bytes
    while (this.#bytes > this.#deps.limits.totalBytes) {
      const largest = this.#groups
        .values()
        .reduce((one, other) => (weightOf(other) > weightOf(one) ? other : one))
      const before = this.#bytes
      largest.shrink({ count: Number.POSITIVE_INFINITY, bytes: weightOf(largest) / 2 })
      // Nobody has more than the one batch that everybody may keep.
      if (this.#bytes === before) return
    }
  }

  #drop(key: string, group: AnyGroup): void {
    group.close()
    if (this.#groups.get(key) !== group) return
    this.#groups.delete(key)
    this.#bytes -= group.log.weight.bytes
    const { cnpj } = group.wish
    const siblings = this.#byCnpj.get(cnpj)
    siblings?.delete(group)
    if (siblings?.size === 0) this.#byCnpj.delete(cnpj)
  }
}
