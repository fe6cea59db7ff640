import type { Redis } from 'ioredis'
import type { DestinationTerms, Transitions } from '../events/transitions.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { termsOfGone } from './destination-terms.ts'
import type { FindDestination } from './find-destination.ts'

export type Pump = {
  /** Tells that this worker lives, and releases what there is room for at all destinations that keep jobs back. */
  turn(): Promise<void>
  /** This worker lives no longer. */
  leave(): Promise<void>
  /** Deliveries that all workers together can have under way in a queue, as last seen. */
  places(): number
  /** Redis' clock, by which gates go whatever the worker's own says; epoch milliseconds. */
  now(): number
}

type Deps = {
  redis: Redis
  transitions: Pick<Transitions, 'release'>
  /** What the scripts have to know of a destination; undefined for one that is not known here. */
  termsOf: (destination: string) => DestinationTerms | undefined
  find: FindDestination
  /** Name of this process, unique. */
  owner: string
  /** Deliveries that this worker can have under way in a queue. */
  concurrency: number
  /** Of this process; epoch milliseconds. */
  clock: () => number
}

/** Several turns long, so that a busy worker is not taken for gone. */
const forgetAfterMs = 20_000
/** Destinations of one call: Redis serves nobody else while it runs. */
const batchSize = 50

/**
 * What is released otherwise follows a delivery of the same destination. This is for those that wait for something else: for a time, for
 * a change of their terms, for a release whose caller crashed. Several at a time do each other no harm.
 */
export function createPump({ redis, transitions, termsOf, find, owner, concurrency, clock }: Deps): Pump {
  const seeWorkers = loadScript(redis, 'see-workers')
  let workers = 1
  let aheadMs = 0
  return {
    async turn() {
      const [seen, at] = (await seeWorkers([keys.workers], [owner, forgetAfterMs])) as [number, number]
      workers = Math.max(1, seen)
      aheadMs = at - clock()
      const destinations = await redis.smembers(keys.flowing)
      for (let at = 0; at < destinations.length; at += batchSize) {
        const batch = destinations.slice(at, at + batchSize)
        const terms = batch.map(async (id) => [id, termsOf(id) ?? (await termsOfUnknown(find, id))] as const)
        await transitions.release(new Map(await Promise.all(terms)))
      }
    },
    async leave() {
      await redis.zrem(keys.workers, owner)
    },
    places: () => workers * concurrency,
    now: () => clock() + aheadMs,
  }
}

/** The jobs of one that was deleted are let go, whatever kept them back. */
async function termsOfUnknown(find: FindDestination, id: string): Promise<DestinationTerms> {
  return (await find(id)).kind === 'gone' ? termsOfGone : {}
}
