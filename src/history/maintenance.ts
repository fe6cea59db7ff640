import { type Job as BullJob, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { ErrorQueue } from '../delivery/error-queue.ts'
import type { JobRecords } from '../events/job-records.ts'
import type { Lanes } from '../events/lanes.ts'
import { maintenanceQueue } from '../events/routing.ts'
import { type JournalBounds, trimJournal } from '../journal/trim-journal.ts'
import type { QueueConnection } from '../redis/connections.ts'
import { bullPrefix, keys } from '../redis/keys.ts'
import type { TenantStore } from '../tenants/tenant-store.ts'
import type { ForgetJobs } from './forget-jobs.ts'
import type { HistoryStore } from './history-store.ts'
import type { StatsStore } from './stats-store.ts'

/** What one run removed. Times are epoch milliseconds. */
export type MaintenanceRun = {
  startedAt: number
  finishedAt: number
  removedJobs: number
  removedTokens: number
  removedErrorEntries: number
  trimmedJournalEntries: number
}

export type Maintenance = {
  /** Makes the one schedule of this data set, the same however many instances do. */
  schedule(): Promise<void>
  /** Begins to work on the schedule. */
  start(): void
  close(): Promise<void>
}

type Deps = {
  redis: Redis
  lanes: Lanes
  errorQueue: ErrorQueue
  records: JobRecords
  /** Deletes records of FAILED jobs. */
  forgetFailed: ForgetJobs
  history: Pick<HistoryStore, 'removeFinished'>
  stats: Pick<StatsStore, 'removeBefore'>
  /** How long statistics of each span are kept. */
  statsKept: readonly { spanMs: number; keepMs: number }[]
  tenants: Pick<TenantStore, 'removeEndedTokens'>
  log: Logger
  retentionMs: number
  maxJournalEntries: number
  /** When to run, as a cron expression in UTC. */
  cron: string
  now: () => number
}

const batchSize = 500

/** Removes what is older than the retention time, in bounded batches; only jobs that are finished, and tokens that have ended. */
export async function runMaintenance(deps: Omit<Deps, 'cron' | 'log'>): Promise<MaintenanceRun> {
  const startedAt = deps.now()
  const before = startedAt - deps.retentionMs
  let removedErrorEntries = 0
  for (const { name } of deps.lanes.all()) removedErrorEntries += await expireFailed(deps, name, before)
  const removedJobs = await inBatches((limit) => deps.history.removeFinished(before, limit))
  await removeStats(deps, startedAt)
  const removedTokens = await inBatches((limit) => deps.tenants.removeEndedTokens(before, limit))
  const bounds: JournalBounds = { maxEntries: deps.maxJournalEntries, oldestMs: before }
  const trimmedJournalEntries = await trimJournal(deps.redis, bounds)
  const removed = { removedJobs, removedTokens, removedErrorEntries, trimmedJournalEntries }
  const run = { startedAt, finishedAt: deps.now(), ...removed }
  await deps.redis.hset(keys.maintenance, run)
  return run
}

/** The last run on this data set, or null before the first. */
export async function lastMaintenance(redis: Redis): Promise<MaintenanceRun | null> {
  const fields = await redis.hgetall(keys.maintenance)
  if (!fields.startedAt) return null
  const known = Object.entries(fields).map(([name, value]) => [name, Number(value)])
  // A run of an older version removed no tokens.
  return { removedTokens: 0, ...Object.fromEntries(known) } as MaintenanceRun
}

/**
 * Error queues are in order of arrival, so the first job that is young enough ends the search. Entries without a FAILED job behind
 * them are the sweeper's, and do not.
 */
async function expireFailed(
  deps: Omit<Deps, 'cron' | 'log'>,
  queue: string,
  before: number,
): Promise<number> {
  let removed = 0
  for (let start = 0; ; ) {
    const entries = await deps.errorQueue.page(queue, start, batchSize)
    const jobs = await deps.records.jobs([...new Set(entries.map(({ n }) => n))])
    const failed = jobs.filter((job) => job.status === 'FAILED')
    const expired = failed.filter((job) => job.updatedAt < before)
    await deps.forgetFailed(expired)
    for (const { n, round } of expired) await deps.errorQueue.remove(queue, n, round)
    removed += expired.length
    if (entries.length < batchSize || expired.length < failed.length) return removed
    start += entries.length - expired.length
  }
}

/** Ten spans a time, of however many tenants. */
async function removeStats({ stats, statsKept }: Pick<Deps, 'stats' | 'statsKept'>, now: number) {
  for (const { spanMs, keepMs } of statsKept) {
    const old = { spanMs, before: now - keepMs - spanMs, widthMs: 10 * spanMs }
    while ((await stats.removeBefore(old)) > 0);
  }
}

async function inBatches(remove: (limit: number) => Promise<number>): Promise<number> {
  let removed = 0
  for (;;) {
    const batch = await remove(batchSize)
    removed += batch
    if (batch < batchSize) return removed
  }
}

export function createMaintenance(deps: Deps & { connectionOf: QueueConnection }): Maintenance {
  const options = { connection: deps.connectionOf(maintenanceQueue), prefix: bullPrefix(maintenanceQueue) }
  const queue = new Queue(maintenanceQueue, options)
  // The connection tells of its trouble itself; without a listener BullMQ prints every try to reach Redis on the console.
  queue.on('error', () => undefined)
  let worker: Worker | undefined

  const process = async (_job: BullJob) => {
    const run = await runMaintenance(deps)
    deps.log.info(run, 'maintenance done')
  }

  return {
    async schedule() {
      const keep = { removeOnComplete: { count: 10 }, removeOnFail: { count: 10 } }
      const repeat = { pattern: deps.cron, tz: 'UTC' }
      await queue.upsertJobScheduler('daily', repeat, { name: 'maintenance', opts: keep })
    },
    start() {
      worker = new Worker(maintenanceQueue, process, options)
      worker.on('failed', (_job, err) =>
        deps.log.error({ err }, 'maintenance failed; the next run takes up what is left'),
      )
      worker.on('error', (err) => deps.log.debug({ err }, 'maintenance worker trouble'))
    },
    async close() {
      await worker?.close()
      await queue.close()
    },
  }
}
