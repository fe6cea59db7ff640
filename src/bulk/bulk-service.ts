import { hash, randomBytes } from 'node:crypto'
import { GanchoError } from '../errors.ts'
import type { Job, JobStatus } from '../events/job.ts'
import type { HistoryStore, JobsFilter } from '../history/history-store.ts'
import type { Requester } from '../tenants/principal.ts'
import type { Bulk, BulkPlan } from './bulk.ts'
import type { BulkStore } from './bulk-store.ts'
import type { PreviewTokens } from './preview-token.ts'

/** What a bulk would do, as of now. Times are epoch milliseconds. */
export type Preview = {
  /** At most `maxJobs`. */
  count: number
  /** Whether there are more, which another bulk has to take. */
  hasMore: boolean
  /** The oldest of them. */
  sample: Job[]
  oldestAt: number | null
  token: string
  expiresAt: number
}

export type BulkService = {
  /** @throws GanchoError BAD_REQUEST for statuses that are no end */
  preview(filter: JobsFilter, by: Requester): Promise<Preview>
  /**
   * Begins what a preview has shown; the same token begins it once.
   * @throws GanchoError INVALID_PREVIEW, PREVIEW_EXPIRED, TOO_MANY_BULKS
   */
  commit(token: string, by: Requester, options: CommitOptions): Promise<Bulk>
  /** Begins to discard what waits in a queue by now. @throws GanchoError TOO_MANY_BULKS */
  drain(queue: string, by: Requester): Promise<Bulk>
  find(id: string): Promise<Bulk | null>
  /** Those that are not over, the oldest first. */
  running(): Promise<Bulk[]>
  /** Has it stop after the batch in hand. @throws GanchoError BULK_NOT_FOUND */
  cancel(id: string): Promise<Bulk>
}

export type CommitOptions = { ratePerSecond?: number | undefined; reason?: string | undefined }

type Deps = {
  store: BulkStore
  tokens: PreviewTokens
  history: Pick<HistoryStore, 'list' | 'count' | 'position' | 'highestNumber'>
  /** What was accepted and written last. */
  newest: () => Promise<{ journalId: string; n: number }>
  /** Tells whoever watches this bulk. */
  tell: (id: string) => Promise<unknown>
  now: () => number
  maxJobs?: number
  previewTtlMs?: number
}

/** Each is read from the database and queued by itself; what is beyond them takes another bulk. */
const mostJobs = 100_000
const tenMinutesMs = 600_000
const sampleSize = 10
export const defaultRatePerSecond = 50
export const maxRatePerSecond = 1_000

/** Those that a worker has may come back to wait by the time it is their turn. */
const waitingStatuses: readonly JobStatus[] = ['RECEIVED', 'QUEUED', 'HELD', 'RETRYING', 'DELIVERING']
/** Tells how far a drain is; it goes on beyond. */
const mostCounted = 1_000_000

/** Those that somebody has to ask for again; what is delivered, only when it is named. */
const reprocessable: readonly JobStatus[] = ['FAILED', 'DELIVERED']
const unlessNamed: readonly JobStatus[] = ['FAILED']

export function createBulkService(deps: Deps): BulkService {
  const { store, tokens, history, now } = deps
  const { maxJobs = mostJobs, previewTtlMs = tenMinutesMs } = deps

  const begin = async (id: string, plan: BulkPlan) => {
    if ((await store.create(id, plan)) === 'busy') throw new GanchoError('TOO_MANY_BULKS')
    return found(id)
  }
  const found = async (id: string) => {
    const bulk = await store.read(id)
    if (!bulk) throw new GanchoError('BULK_NOT_FOUND')
    return bulk
  }
  return {
    async preview(asked, by) {
      const filter = { ...asked, statuses: statusesOf(asked) }
      // The position first: what changes from here on is not what is shown, nor what has changed beyond it already.
      const asOf = (await history.position())?.journalId ?? '0-0'
      const shown = { ...filter, changedUpTo: asOf }
      const upTo = await history.highestNumber()
      const range = { after: upTo + 1, fromEnd: true }
      const counted = await history.count(shown, maxJobs + 1)
      const sample = (await history.list(shown, { ...range, limit: sampleSize })).reverse()
      const count = Math.min(counted, maxJobs)
      const expiresAt = now() + previewTtlMs
      const token = tokens.seal({ by, filter, asOf, upTo, total: count, expiresAt })
      const oldestAt = sample[0]?.receivedAt ?? null
      return { count, hasMore: counted > maxJobs, sample, oldestAt, token, expiresAt }
    },
    async commit(token, by, { ratePerSecond = defaultRatePerSecond, reason }) {
      const { filter, asOf, upTo, total } = tokens.open(token, by)
      const id = `bulk_${hash('sha256', token, 'base64url').slice(0, 22)}`
      return begin(id, {
        ...{ action: 'REPROCESS', by, reason: reason ?? null, filter, asOf, upTo, total, ratePerSecond },
        createdAt: now(),
      })
    },
    async drain(queue, by) {
      const { journalId: asOf, n: upTo } = await deps.newest()
      const filter = { queue, statuses: waitingStatuses }
      const total = await history.count(filter, mostCounted)
      return begin(`bulk_${randomBytes(16).toString('base64url')}`, {
        ...{ action: 'DISCARD', by, reason: null, filter, asOf, upTo, total },
        ...{ ratePerSecond: maxRatePerSecond, createdAt: now() },
      })
    },
    find: (id) => store.read(id),
    async running() {
      const found = await Promise.all((await store.running()).map((id) => store.read(id)))
      return found.filter((bulk) => bulk !== null)
    },
    async cancel(id) {
      await store.cancel(id)
      const bulk = await found(id)
      await deps.tell(id)
      return bulk
    },
  }
}

function statusesOf({ statuses = unlessNamed }: JobsFilter): readonly JobStatus[] {
  const wrong = statuses.find((status) => !reprocessable.includes(status))
  if (wrong !== undefined)
    throw new GanchoError(
      'BAD_REQUEST',
      `Jobs that are ${wrong} cannot be reprocessed; say FAILED or DELIVERED.`,
    )
  return statuses
}
