import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

/** Where a job waits. Times are epoch milliseconds. */
export type JobPlace = {
  /** `flow`: for its turn at its destination; `order`: for the one before it of its ordering key; null: for neither. */
  waitsFor: 'flow' | 'order' | null
  /** Jobs of the same tenant, or of the same ordering key, that come before it there. */
  ahead: number
  /** Number of the first job of its ordering key, where it waits for that. */
  first: number | null
  /** When its destination's rate gives it a turn; null where it has been given none. */
  turnAt: number | null
  /** Attempts that its destination has under way. */
  underWay: number
  /** As many as it may have. */
  concurrency: number
  /** When a worker was last seen; null when none was of late. */
  workerSeenAt: number | null
}

/** In the order of the numbers. */
export type JobPlaces = (ns: readonly number[]) => Promise<JobPlace[]>

type Answer = [
  kept: '' | 'flow' | 'order',
  ...[ahead: number, first: number, turnAt: number, underWay: number, concurrency: number],
]

export function createJobPlaces(redis: Redis): JobPlaces {
  const script = loadScript(redis, 'job-places')
  return async (ns) => {
    if (ns.length === 0) return []
    const [seenAt, ...places] = (await script([], [keys.jobPrefix, keys.prefix, ...ns])) as [
      number,
      ...Answer[],
    ]
    return places.map(([kept, ahead, first, turnAt, underWay, concurrency]) => ({
      ...{ waitsFor: kept || null, ahead, first: first || null, turnAt: turnAt || null },
      ...{ underWay, concurrency, workerSeenAt: seenAt || null },
    }))
  }
}
