import type { Lanes } from '../events/lanes.ts'
import type { ErrorQueue } from './error-queue.ts'

/** What a queue holds now. */
export type QueueCounts = {
  /** Ready for a worker. */
  waiting: number
  /** In the hands of workers. */
  active: number
  /** Waiting for their next attempt. */
  delayed: number
  /** In the error queue. */
  failed: number
  /** Whether workers are told to take nothing. */
  paused: boolean
}

export type QueueOverview = {
  /** @throws GanchoError QUEUE_NOT_FOUND */
  counts(queue: string): Promise<QueueCounts>
}

/** Asks BullMQ. The numbers of one answer are of about the same moment, not of exactly the same. */
export function createQueueOverview(deps: { lanes: Lanes; errorQueue: ErrorQueue }): QueueOverview {
  return {
    async counts(name) {
      const { queue } = deps.lanes.open(name)
      const [counts, paused, failed] = await Promise.all([
        queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed'),
        queue.isPaused(),
        deps.errorQueue.count(name),
      ])
      const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts
      return { waiting: waiting + prioritized, active, delayed, failed, paused }
    },
  }
}
