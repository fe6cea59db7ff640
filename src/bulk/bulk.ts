import type { ScheduledJob } from '../events/lanes.ts'
import type { JobsFilter } from '../history/history-store.ts'
import type { Requester } from '../tenants/principal.ts'

/** CANCELLED and COMPLETED are final: what was begun is finished, and nothing more is touched. */
export const bulkStatuses = ['RUNNING', 'COMPLETED', 'CANCELLED'] as const
export type BulkStatus = (typeof bulkStatuses)[number]

/** REPROCESS queues jobs for another round, DISCARD takes those that wait out of the way. */
export const bulkActions = ['REPROCESS', 'DISCARD'] as const
export type BulkAction = (typeof bulkActions)[number]

/** What a bulk is to do; it never changes. Times are epoch milliseconds. */
export type BulkPlan = {
  action: BulkAction
  by: Requester
  /** Why, in the words of whoever asked. */
  reason: string | null
  filter: JobsFilter
  /**
   * Journal id. REPROCESS: jobs that changed after it are left alone. DISCARD: nothing is done before history is written up to there, so
   * that no job is missed.
   */
  asOf: string
  /** Highest job number that is looked at. */
  upTo: number
  /** Jobs that matched when it was made, as far as history knew: a DISCARD may find more. */
  total: number
  ratePerSecond: number
  createdAt: number
}

/** How often jobs were left as they are, by reason. */
export type Skipped = Readonly<Record<string, number>>

/** A plan, and how far it is. */
export type Bulk = BulkPlan & {
  id: string
  status: BulkStatus
  /** Grows with every step, so that of two who would take the same one only the first does. */
  step: number
  /** Number of the last job that was looked at. */
  cursor: number
  /** Jobs that are being worked on, written down before the first of them is touched. */
  batch: readonly ScheduledJob[]
  done: number
  skipped: Skipped
  finishedAt: number | null
}

export const skippedCount = ({ skipped }: Pick<Bulk, 'skipped'>) =>
  Object.values(skipped).reduce((sum, count) => sum + count, 0)

/** Stands for all administrators where bulks of one owner are counted. */
export const adminsOwner = 'admin'
export const ownerOf = (by: Requester) => (by.kind === 'tenant' ? by.name : adminsOwner)
