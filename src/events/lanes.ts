import { Queue, type QueueOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import { bullPrefix, errorQueueName } from '../redis/keys.ts'
import { bullJobId } from './job.ts'

/** What BullMQ holds of a job: enough to find its record. */
export type ScheduledJob = { n: number; round: number }

export type Lane = {
  name: string
  /** Schedules deliveries. */
  queue: Queue<ScheduledJob>
  /** Where jobs rest that failed for good. */
  errors: Queue
}

export type LaneEntry = ScheduledJob & { queue: string; delayMs?: number }

/** The named queues, each a BullMQ queue and the error queue beside it. */
export type Lanes = {
  all(): readonly Lane[]
  /** @throws GanchoError QUEUE_NOT_FOUND */
  get(name: string): Lane
  /** Schedules deliveries. Adding one that BullMQ holds already changes nothing. */
  add(entries: readonly LaneEntry[]): Promise<void>
  /** Takes a delivery out of the schedule unless a worker has it, whose start the record then refuses. */
  remove(entry: LaneEntry): Promise<void>
  /** How many deliveries wait for a worker in the fullest queue. */
  longest(): Promise<number>
  close(): Promise<void>
}

/** BullMQ decides nothing: a finished entry goes at once, and one that failed stays for the sweeper, which asks the record. */
const jobOptions = { removeOnComplete: true, removeOnFail: false, attempts: 1 }

export function createLanes(redis: Redis, names: readonly string[]): Lanes {
  const lanes = new Map(names.map((name) => [name, openLane(redis, name)]))
  const get = (name: string): Lane => {
    const lane = lanes.get(name)
    if (!lane) throw new GanchoError('QUEUE_NOT_FOUND', `There is no queue ${name.slice(0, 64)}.`)
    return lane
  }
  return {
    all: () => [...lanes.values()],
    get,
    async add(entries) {
      for (const [name, group] of Map.groupBy(entries, (entry) => entry.queue)) {
        await get(name).queue.addBulk(group.map(bullJob))
      }
    },
    async remove({ queue, n, round }) {
      await get(queue).queue.remove(bullJobId(n, round))
    },
    async longest() {
      const waiting = await Promise.all(
        [...lanes.values()].map((lane) => lane.queue.getJobCountByTypes('wait')),
      )
      return Math.max(...waiting)
    },
    async close() {
      await Promise.all([...lanes.values()].flatMap((lane) => [lane.queue.close(), lane.errors.close()]))
    },
  }
}

function bullJob({ n, round, delayMs }: LaneEntry) {
  const delay = delayMs === undefined ? {} : { delay: Math.max(0, Math.ceil(delayMs)) }
  return { name: 'deliver', data: { n, round }, opts: { jobId: bullJobId(n, round), ...delay } }
}

function openLane(redis: Redis, name: string): Lane {
  const options: QueueOptions = {
    connection: redis,
    prefix: bullPrefix(name),
    defaultJobOptions: jobOptions,
    streams: { events: { maxLen: 1_000 } },
  }
  const lane = { name, queue: new Queue(name, options), errors: new Queue(errorQueueName(name), options) }
  // The connection tells of its trouble itself; without a listener BullMQ prints every try to reach Redis on the console.
  for (const queue of [lane.queue, lane.errors]) queue.on('error', () => undefined)
  return lane
}
