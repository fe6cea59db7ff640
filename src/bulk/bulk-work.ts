import type { Reprocess } from '../delivery/reprocess.ts'
import { GanchoError } from '../errors.ts'
import type { RoundAudit } from '../events/job.ts'
import type { ScheduledJob } from '../events/lanes.ts'
import type { HistoryStore } from '../history/history-store.ts'
import type { JobReader } from '../history/job-reader.ts'
import { isAtOrBefore } from '../journal/journal-id.ts'
import { type Bulk, type Skipped, skippedCount } from './bulk.ts'

/** What became of a batch. */
export type Worked = { done: number; skipped: Skipped }

export type BulkWork = {
  /**
   * The next jobs of the bulk, the oldest first; none when all have been looked at. `cursor`: number of the last one looked at. Null
   * while history has not come as far as the bulk needs it.
   */
  next(bulk: Bulk): Promise<{ batch: ScheduledJob[]; cursor: number } | null>
  /**
   * Does what the bulk is for with the jobs of its batch, each at most once a round. `isResumed`: whoever began this batch may have done
   * so with some of them already.
   */
  work(bulk: Bulk, isResumed: boolean): Promise<Worked>
}

type Deps = {
  history: Pick<HistoryStore, 'list' | 'position'>
  jobs: Pick<JobReader, 'job' | 'rounds'>
  reprocess: Reprocess
}

/** Small enough for a steady rate, large enough for one that is high. */
const maxBatch = 50
const batchesPerSecond = 10
/** Looked at between two notes of how far it is, where nothing is to be done with them. */
const maxPages = 20

export function createBulkWork({ history, jobs, reprocess }: Deps): BulkWork {
  const act = (bulk: Bulk, job: ScheduledJob, isResumed: boolean): Promise<'done' | string> =>
    bulk.action === 'DISCARD' ? discard(job, isResumed) : requeue(bulk, job)

  const discard = async ({ n }: ScheduledJob, isResumed: boolean) => {
    const outcome = await reprocess.discardWaiting(n)
    if (outcome.kind === 'discarded') return 'done'
    const isItsOwn = isResumed && (await jobs.job(n))?.status === 'DISCARDED'
    return isItsOwn ? 'done' : outcome.reason
  }
  const requeue = async (bulk: Bulk, job: ScheduledJob) => {
    try {
      const outcome = await reprocess.reprocess({ ...job, audit: auditOf(bulk) })
      if (outcome.kind === 'requeued') return 'done'
      return (await isItsOwn(bulk, job)) ? 'done' : outcome.reason
    } catch (error) {
      if (error instanceof GanchoError && error.code === 'JOB_NOT_FOUND') return error.code
      throw error
    }
  }
  /** Whether this bulk began the round that followed: before a crash, or by another worker that takes it for its own, too. */
  const isItsOwn = async ({ id }: Bulk, { n, round }: ScheduledJob) => {
    const rounds = (await jobs.rounds([n])).get(n)
    return rounds?.some((one) => one.number === round + 1 && one.audit?.bulk === id) ?? false
  }

  return {
    async next(bulk) {
      const { action, filter, upTo, asOf } = bulk
      const position = await history.position()
      if (!isAtOrBefore(asOf, position?.journalId ?? '0-0')) return null
      const limit = sizeOfNext(bulk)
      let { cursor } = bulk
      for (let page = 0; page < maxPages && limit > 0; page += 1) {
        const listed = await history.list(filter, { limit, before: cursor, after: upTo + 1, fromEnd: true })
        cursor = listed[0]?.n ?? upTo
        const meant = listed.filter(({ journalId }) => action === 'DISCARD' || isAtOrBefore(journalId, asOf))
        const batch = meant.map(({ n, round }) => ({ n, round })).reverse()
        if (batch.length > 0 || listed.length === 0) return { batch, cursor }
      }
      return { batch: [], cursor: limit > 0 ? cursor : upTo }
    },
    async work(bulk, isResumed) {
      const outcomes = await Promise.all(bulk.batch.map((job) => act(bulk, job, isResumed)))
      const reasons = outcomes.filter((outcome) => outcome !== 'done')
      return { done: outcomes.length - reasons.length, skipped: added(bulk.skipped, reasons) }
    },
  }
}

const auditOf = ({ id, by, reason }: Bulk): RoundAudit => ({ trigger: 'BULK', by, reason, bulk: id })

/** No more are queued again than were shown; what waits is discarded as long as there is any. */
function sizeOfNext({ action, ratePerSecond, total, done, skipped }: Bulk): number {
  const size = Math.min(maxBatch, Math.max(1, Math.ceil(ratePerSecond / batchesPerSecond)))
  return action === 'DISCARD' ? size : Math.min(size, total - done - skippedCount({ skipped }))
}

function added(skipped: Skipped, reasons: readonly string[]): Skipped {
  const sum: Record<string, number> = { ...skipped }
  for (const reason of reasons) sum[reason] = (sum[reason] ?? 0) + 1
  return sum
}
