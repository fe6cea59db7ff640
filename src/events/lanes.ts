import { Queue, type QueueOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { QueueConnection } from '../redis/connections.ts'
import { bullPrefix, errorQueueName, keys } from '../redis/keys.ts'
import { bullJobId } from './job.ts'
import { maintenanceQueue } from './routing.ts'

/** What BullMQ holds of a job: enough to find its record. Entries of older versions have no destination. */
export type ScheduledJob = { n: number; round: number; destination?: string | undefined }

export type Lane = {
  name: string
  /** Schedules deliveries. */
  queue: Queue<ScheduledJob>
  /** Where jobs rest that failed for good. */
  errors: Queue
}

export type LaneEntry = ScheduledJob & { queue: string; delayMs?: number }

/** The named queues, each a BullMQ queue and the error queue beside it. They come into being as destinations and jobs name them. */
export type Lanes = {
  all(): readonly Lane[]
  /** For names that callers give. @throws GanchoError QUEUE_NOT_FOUND */
  get(name: string): Lane
  /** For names of records and destinations: a new one begins with this. @throws GanchoError QUEUE_NOT_FOUND unless `isQueueName` */
  open(name: string): Lane
  /** Calls `listener` for every lane that is open, and for each one that is opened later. */
  onOpen(listener: (lane: Lane) => void): void
  /**
   * Opens every queue that another process has brought into being, and tells the others of those that they do not know. They are
   * remembered in Redis, so that a queue whose last destination is gone is still worked off.
   */
  exchangeNames(): Promise<void>
  /** Schedules deliveries, in queues that it opens where needed. Adding one that BullMQ holds already changes nothing. */
  add(entries: readonly LaneEntry[]): Promise<void>
  /** Takes a delivery out of the schedule unless a worker has it, whose start the record then refuses. */
  remove(entry: LaneEntry): Promise<void>
  close(): Promise<void>
}

/** BullMQ decides nothing: a finished entry goes at once, and one that failed stays for the sweeper, which asks the record. */
const jobOptions = { removeOnComplete: true, removeOnFail: false, attempts: 1 }

/** Each has connections and workers in every process. */
export const maxQueues = 100

/** The maintenance queue is a BullMQ queue of its own; a full stop would make an error queue of it. */
export const isQueueName = (name: string) => /^[a-z0-9-]{1,40}$/.test(name) && name !== maintenanceQueue

/** `connectionOf`: where the BullMQ queues are, when not all are behind `redis`. */
export function createLanes(
  redis: Redis,
  names: readonly string[],
  connectionOf: QueueConnection = () => redis,
): Lanes {
  const lanes = new Map(names.map((name) => [name, openLane(connectionOf(name), name)]))
  const listeners: ((lane: Lane) => void)[] = []
  /** Names that Redis was seen to have. */
  const remembered = new Set<string>()
  const get = (name: string): Lane => {
    const lane = lanes.get(name)
    if (!lane) throw new GanchoError('QUEUE_NOT_FOUND', `There is no queue ${name.slice(0, 64)}.`)
    return lane
  }
  const open = (name: string): Lane => {
    const known = lanes.get(name)
    if (known || !isQueueName(name)) return get(name)
    const lane = openLane(connectionOf(name), name)
    lanes.set(name, lane)
    for (const listener of listeners) listener(lane)
    return lane
  }
  const remember = async (unknown: readonly string[]) => {
    if (unknown.length > 0) await redis.sadd(keys.queues, ...unknown)
    for (const name of unknown) remembered.add(name)
  }
  return {
    all: () => [...lanes.values()],
    get,
    open,
    onOpen(listener) {
      listeners.push(listener)
      for (const lane of lanes.values()) listener(lane)
    },
    async exchangeNames() {
      const there = new Set(await redis.smembers(keys.queues))
      for (const name of there) {
        remembered.add(name)
        if (isQueueName(name)) open(name)
      }
      await remember([...lanes.keys()].filter((name) => !there.has(name)))
    },
    async add(entries) {
      for (const [name, group] of Map.groupBy(entries, (entry) => entry.queue)) {
        const { queue } = open(name)
        if (!remembered.has(name)) await remember([name])
        await addTo(queue, group.map(bullJob))
      }
    },
    async remove({ queue, n, round }) {
      await open(queue).queue.remove(bullJobId(n, round))
    },
    async close() {
      await Promise.all([...lanes.values()].flatMap((lane) => [lane.queue.close(), lane.errors.close()]))
    },
  }
}

/** Schedules what a change has released. What Redis does not take, or no queue can be for, is left to the sweeper. */
export function scheduleReleased(lanes: Lanes, log: Pick<Logger, 'warn'>) {
  return async (entries: readonly LaneEntry[]) => {
    try {
      await lanes.add(entries.filter(({ queue }) => isQueueName(queue)))
    } catch (err) {
      log.warn({ err, jobs: entries.length }, 'released jobs could not be scheduled; the sweeper does it')
    }
  }
}

/** One alone without a pipeline, for each of which ioredis defines all commands anew. */
async function addTo(queue: Queue, jobs: readonly ReturnType<typeof bullJob>[]): Promise<void> {
  const [first, second] = jobs
  if (first && !second) await queue.add(first.name, first.data, first.opts)
  else await queue.addBulk([...jobs])
}

function bullJob({ n, round, destination, delayMs }: LaneEntry) {
  const delay = delayMs === undefined ? {} : { delay: Math.max(0, Math.ceil(delayMs)) }
  return { name: 'deliver', data: { n, round, destination }, opts: { jobId: bullJobId(n, round), ...delay } }
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
