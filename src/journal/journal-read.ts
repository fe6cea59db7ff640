import type { JournalPosition } from './cursor.ts'
import type { JournalEntry } from './entry.ts'
import { isAtOrBefore } from './journal-id.ts'
import type { JournalState } from './journal-state.ts'

/** What a reader of the journal cannot be given, why. */
export const gapReasons = {
  JOURNAL_TRIMMED: 'changes were removed for their age or number before they were read',
  JOURNAL_REPLACED: 'Redis was emptied or replaced: this is the journal of another data set',
  JOURNAL_WENT_BACK: 'Redis came back with an older state, and what was read after it is not part of it',
} as const
export type GapReason = keyof typeof gapReasons

/** `position`: where reading goes on behind it. */
export type JournalItem =
  | { kind: 'entry'; position: JournalPosition; entry: JournalEntry }
  | { kind: 'gap'; position: JournalPosition; reason: GapReason }

/** What followed `from`, in order, and the position behind it. */
export type JournalRead = {
  from: JournalPosition
  to: JournalPosition
  items: readonly JournalItem[]
  /** Whether ids go on from `from`; not behind a journal that was replaced or went back. */
  continues: boolean
}

/** Whether `a` is passed for whoever stands at `b`. Positions of two data sets say nothing of each other. */
export const isPassed = (a: JournalPosition, b: JournalPosition): boolean =>
  a.epoch === b.epoch && isAtOrBefore(a.id, b.id)

/**
 * Tells from the entries read behind `from`, and from the state of the journal at that moment or later, whether something in between
 * is missing. Entries of a journal in which `from` is no place are left out: the next read begins behind the gap.
 */
export function judgeRead(
  from: JournalPosition,
  entries: readonly JournalEntry[],
  { epoch, trimmedTo, lastId }: JournalState,
): JournalRead {
  const broken = (reason: GapReason, to: JournalPosition): JournalRead => ({
    ...{ from, to, continues: false },
    items: [{ kind: 'gap', position: to, reason }],
  })
  if (epoch !== from.epoch) return broken('JOURNAL_REPLACED', { epoch, id: trimmedTo })
  if (!isAtOrBefore(from.id, lastId)) return broken('JOURNAL_WENT_BACK', { epoch, id: lastId })
  const items: JournalItem[] = entries.map((entry) => ({
    ...{ kind: 'entry', entry },
    position: { epoch, id: entry.id },
  }))
  const [first] = entries
  // What was trimmed after the read shows up in it: trimming takes the oldest first.
  const isTrimmed = !isAtOrBefore(trimmedTo, from.id) && !(first && isAtOrBefore(first.id, trimmedTo))
  if (isTrimmed) items.unshift({ kind: 'gap', position: { epoch, id: trimmedTo }, reason: 'JOURNAL_TRIMMED' })
  return { from, to: items.at(-1)?.position ?? from, items, continues: true }
}
