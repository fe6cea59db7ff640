import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { bullJobId, isOver, type Job, jobId } from '../events/job.ts'
import type { JobRecords } from '../events/job-records.ts'
import { isQueueName, type LaneEntry, type Lanes } from '../events/lanes.ts'
import type { Transitions } from '../events/transitions.ts'
import { keys } from '../redis/keys.ts'
import { type ErrorQueue, parseBullJobId } from './error-queue.ts'

type Deps = {
  redis: Redis
  records: JobRecords
  transitions: Transitions
  lanes: Lanes
  errorQueue: ErrorQueue
  /** Deletes the records of finished jobs that history knows. */
  forget: (jobs: readonly Job[]) => Promise<unknown>
  log: Logger
  graceMs: number
  now: () => number
}

const batchSize = 500
/** Of one sweep; the rest waits for the next one. */
const maxBatches = 40

/**
 * Mends what a crash left between two steps, by asking the record:
 * - a job that should be scheduled and is not in BullMQ is added again;
 * - one that failed for good gets its entry in the error queue;
 * - one that waits for its turn stands where turns are given, unless it has waited for longer than it may;
 * - what BullMQ gave up on goes back where its record says;
 * - entries of error queues that no FAILED record stands behind are removed.
 */
export function createSweeper(deps: Deps): { sweep(): Promise<void> } {
  const { redis, records, lanes, errorQueue, transitions } = deps
  const errorPages = new Map<string, number>()

  /** Looks again later, the less often the longer nothing changed. Only where the sweeper still has the job on its list. */
  const lookLater = async (jobs: readonly Job[]) => {
    if (jobs.length === 0) return
    const now = deps.now()
    const scores = jobs.flatMap((job) => [
      String(now + Math.max(deps.graceMs, (now - job.updatedAt) / 2)),
      String(job.n),
    ])
    await redis.zadd(keys.due, 'XX', ...scores)
  }

  const isScheduled = async (job: Job) => {
    const state = await lanes.open(job.queue).queue.getJobState(bullJobId(job.n, job.round))
    return state !== 'unknown' && state !== 'failed' && state !== 'completed'
  }

  const reschedule = async (job: Job) => {
    const { n, round, queue, destination } = job
    const entry: LaneEntry = { n, round, queue, destination }
    if (job.nextAttemptAt !== null) entry.delayMs = job.nextAttemptAt - deps.now()
    await lanes.remove(entry)
    await lanes.add([entry])
    deps.log.warn({ job: jobId(job.n), round: job.round, status: job.status }, 'sweeper: scheduled again')
  }

  const mend = async (job: Job, isKept: boolean) => {
    if (job.status === 'FAILED') {
      if (job.failure) await errorQueue.add(job, job.failure)
      await transitions.settle(job.n, job.round)
    } else if (!isOver(job)) {
      if (!isKept && !(await isScheduled(job))) await reschedule(job)
      if (job.round > 0) await errorQueue.remove(job.queue, job.n, job.round - 1)
    }
  }

  /** Those that wait to be released, and so need not be in BullMQ. */
  const keptOf = async (jobs: readonly Job[]): Promise<ReadonlySet<number>> => {
    const places = await transitions.look(jobs.map(({ n }) => n))
    return new Set(jobs.flatMap(({ n }, i) => (places[i] === 'kept' ? [n] : [])))
  }

  /** What counts as out and is not would keep others back for ever. */
  const sweepFlows = async () => {
    const destinations = await redis.smembers(keys.flowing)
    for (const destination of destinations) await transitions.recount([destination])
  }

  const sweepDue = async () => {
    for (let batch = 0; batch < maxBatches; batch += 1) {
      const members = await redis.zrangebyscore(keys.due, '-inf', deps.now(), 'LIMIT', 0, batchSize)
      await sweepBatch(members.map(Number))
      if (members.length < batchSize) return
    }
  }

  const sweepBatch = async (ns: readonly number[]) => {
    const jobs = await records.jobs(ns)
    const kept = await keptOf(jobs)
    for (const job of jobs) {
      // Nothing that Gancho wrote; what it stands in the way of must go on.
      if (isQueueName(job.queue)) await mend(job, kept.has(job.n))
      else deps.log.error({ job: jobId(job.n), queue: job.queue }, 'sweeper: no queue can have this name')
    }
    await deps.forget(jobs.filter(isOver))
    // When those that are kept back are looked at again the script says, which knows when they are to be given up.
    await lookLater(jobs.filter((job) => job.status !== 'FAILED' && !kept.has(job.n)))
    const known = new Set(jobs.map((job) => job.n))
    for (const n of ns) if (!known.has(n)) await transitions.settle(n, 0)
  }

  /** BullMQ's own failed set: deliveries that broke off with an unexpected error. */
  const sweepFailed = async () => {
    for (const { queue } of lanes.all()) {
      const ids = await queue.getRanges(['failed'], 0, batchSize - 1, true)
      const entries = ids.flatMap((id) => parseBullJobId(id) ?? [])
      const jobs = new Map((await records.jobs(entries.map(({ n }) => n))).map((job) => [job.n, job]))
      const kept = await keptOf([...jobs.values()])
      for (const { n, round } of entries) {
        const job = jobs.get(n)
        const isOfRecord = job?.round === round && !isOver(job)
        if (isOfRecord) await mend(job, kept.has(n))
        // One that failed for good rests in the error queue now; what is to be delivered was scheduled anew, or will be in its turn.
        if (!isOfRecord || job.status === 'FAILED' || kept.has(n)) await queue.remove(bullJobId(n, round))
      }
    }
  }

  /** One page of each error queue a turn, round and round. */
  const sweepErrors = async () => {
    for (const { name } of lanes.all()) {
      const start = errorPages.get(name) ?? 0
      const entries = await errorQueue.page(name, start, batchSize)
      const jobs = new Map((await records.jobs(entries.map(({ n }) => n))).map((job) => [job.n, job]))
      const stale = entries.filter(
        ({ n, round }) => jobs.get(n)?.status !== 'FAILED' || jobs.get(n)?.round !== round,
      )
      for (const { n, round } of stale) await errorQueue.remove(name, n, round)
      errorPages.set(name, entries.length < batchSize ? 0 : start + batchSize - stale.length)
    }
  }

  return {
    async sweep() {
      await sweepDue()
      await sweepFlows()
      await sweepFailed()
      await sweepErrors()
    },
  }
}
