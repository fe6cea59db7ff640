import { randomUUID } from 'node:crypto'
import type { JournalPosition } from '../journal/cursor.ts'
import type { JournalItem } from '../journal/journal-read.ts'
import type { GroupWish } from '../journal/live-group.ts'
import type { LiveJournal } from '../journal/live-journal.ts'

export type JobEventWish = Pick<GroupWish<unknown>, 'cnpj' | 'owner' | 'matches'>

/**
 * What one subscriber of job events is to get. Whoever knows what it is makes the results once for all subscribers alike; to
 * everyone else it is a plain iterable of events.
 */
export class JobEventSource implements AsyncIterable<JournalItem> {
  readonly wish: JobEventWish
  readonly from: JournalPosition
  readonly #journal: LiveJournal

  constructor(journal: LiveJournal, wish: JobEventWish, from: JournalPosition) {
    this.#journal = journal
    this.wish = wish
    this.from = from
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<JournalItem, void, undefined> {
    const stream = await this.#journal.subscribe<JournalItem>({
      key: randomUUID(),
      after: this.from,
      wish: { ...this.wish, render: async (items) => items, bytesOf: () => 500 },
    })
    for await (const { messages } of stream.batches()) yield* messages
  }
}
