import type { Redis } from 'ioredis'
import type { Lane, Lanes } from '../events/lanes.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import type { ErrorQueue } from './error-queue.ts'

/** What a queue holds now. */
export type QueueCounts = {
  /** Ready for a worker, or kept back until it is their turn. */
  waiting: number
  /** In the hands of workers. */
  active: number
  /** Waiting for their next attempt. */
  delayed: number
  /** In the error queue. */
  failed: number
  /** Whether workers are told to take nothing. */
  paused: boolean
  /** Since when the oldest of the waiting ones is ready, in epoch milliseconds; null when none waits. */
  oldestWaitingAt: number | null
  /** Jobs a second over the last minute that were accepted for it, or queued again. */
  inPerSecond: number
  /** Jobs a second over the last minute that were delivered, failed for good or discarded. */
  outPerSecond: number
}

export type QueueOverview = {
  /** @throws GanchoError QUEUE_NOT_FOUND */
  counts(queue: string): Promise<QueueCounts>
}

/** As in queue-flow.lua. */
const flowSeconds = 60
type QueueFlow = [came: number, left: number, kept: number, oldestKeptAt?: number]

/** Asks BullMQ and Redis. The numbers of one answer are of about the same moment, not of exactly the same. */
export function createQueueOverview(deps: {
  lanes: Lanes
  errorQueue: ErrorQueue
  redis: Redis
}): QueueOverview {
  const flow = loadScript(deps.redis, 'queue-flow')
  return {
    async counts(name) {
      const lane = deps.lanes.open(name)
      const [counts, isPaused, failed, oldestReadyAt, [came, left, kept, oldestKeptAt]] = await Promise.all([
        lane.queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed'),
        deps.redis.hexists(keys.paused, name),
        deps.errorQueue.count(name),
        oldestReady(lane),
        flow([keys.journal], [name, keys.prefix, keys.jobPrefix]) as Promise<QueueFlow>,
      ])
      const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts
      const oldest = [oldestReadyAt, oldestKeptAt ?? null].filter((at) => at !== null)
      const oldestWaitingAt = oldest.length === 0 ? null : Math.min(...oldest)
      return {
        ...{ waiting: waiting + prioritized + kept, active, delayed, failed },
        ...{ paused: isPaused === 1, oldestWaitingAt },
        ...{ inPerSecond: came / flowSeconds, outPerSecond: left / flowSeconds },
      }
    },
  }
}

/** When BullMQ was given it, or was to hand it out, where it was delayed. */
async function oldestReady({ queue }: Lane): Promise<number | null> {
  const jobs = await queue.getJobs(['waiting', 'prioritized'], 0, 0, true)
  const times = jobs.map(({ timestamp, opts }) => timestamp + (opts.delay ?? 0))
  return times.length === 0 ? null : Math.min(...times)
}
