import { randomUUID } from 'node:crypto'
import type { CountedStats, ProjectorPosition } from '../history/history-store.ts'
import { sortableJournalId } from './journal-order.ts'
import type { Step } from './sql.ts'
import { type InsertMissing, statsSteps } from './stats-steps.ts'

const start = sortableJournalId('0-0')
// A reader that lost its lease may come late: it must not move its successor's position back, nor to the data set from before.
const moveForward = `UPDATE history_meta SET epoch = :epoch, journal = :journal
  WHERE epoch IS NULL OR (epoch = :epoch AND journal < :journal) OR (epoch <> :epoch AND :journal = '${start}')`
const moveOn = `UPDATE history_meta SET epoch = :epoch, journal = :journal, last_batch = :batch_id
  WHERE (epoch = :epoch AND journal = :came_from)
    OR ((epoch IS NULL OR epoch <> :epoch) AND :came_from = '${start}')`

/** Moves the position, and adds what was counted on the way there. The first step says whether it moved. */
export function positionSteps(
  { epoch, journalId }: ProjectorPosition,
  counted: CountedStats | undefined,
  insertMissing: InsertMissing,
): Step[] {
  const to = { epoch, journal: sortableJournalId(journalId) }
  if (!counted) return [{ sql: moveForward, rows: [to] }]
  const batchId = randomUUID()
  const came_from = sortableJournalId(counted.from.journalId)
  return [
    { sql: moveOn, rows: [{ ...to, came_from, batch_id: batchId }] },
    ...statsSteps(counted.stats, batchId, insertMissing),
  ]
}
