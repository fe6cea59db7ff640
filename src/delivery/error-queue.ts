import type { Failure, Job } from '../events/job.ts'
import { bullJobId, jobId } from '../events/job.ts'
import type { Lanes, ScheduledJob } from '../events/lanes.ts'

/** What an entry of an error queue tells about its job, for whoever looks into BullMQ. */
export type ErrorEntry = ScheduledJob & { id: string; cnpj: string; destination: string; failure: Failure }

export type ErrorQueue = {
  /** Adding the same round twice changes nothing. */
  add(job: Pick<Job, 'n' | 'round' | 'cnpj' | 'destination' | 'queue'>, failure: Failure): Promise<void>
  /** Removes exactly this round's entry. */
  remove(queue: string, n: number, round: number): Promise<void>
  has(queue: string, n: number, round: number): Promise<boolean>
  /** Oldest first, from `start`. */
  page(queue: string, start: number, size: number): Promise<ScheduledJob[]>
  count(queue: string): Promise<number>
}

/**
 * Error queues keep their entries as prioritized jobs of one priority: a sorted set in order of arrival, from which one of a
 * million is removed as fast as one of ten (a list would be searched from its end).
 */
const options = { priority: 1 }

export function createErrorQueue(lanes: Lanes): ErrorQueue {
  return {
    async add(job, failure) {
      const { n, round, cnpj, destination, queue } = job
      const entry: ErrorEntry = { id: jobId(n), n, round, cnpj, destination, failure }
      await lanes.open(queue).errors.add('failed', entry, { ...options, jobId: bullJobId(n, round) })
    },
    async remove(queue, n, round) {
      await lanes.open(queue).errors.remove(bullJobId(n, round))
    },
    async has(queue, n, round) {
      return (await lanes.open(queue).errors.getJobState(bullJobId(n, round))) !== 'unknown'
    },
    async page(queue, start, size) {
      const ids = await lanes.open(queue).errors.getRanges(['prioritized'], start, start + size - 1, true)
      return ids.flatMap((id) => parseBullJobId(id) ?? [])
    },
    async count(queue) {
      return (await lanes.open(queue).errors.getJobCounts('prioritized')).prioritized ?? 0
    },
  }
}

/** The number and round in an entry's id; null for an id that Gancho did not make. */
export function parseBullJobId(id: string): ScheduledJob | null {
  const match = /^ID-(\d+)\.r(\d+)$/.exec(id)
  return match ? { n: Number(match[1]), round: Number(match[2]) } : null
}
