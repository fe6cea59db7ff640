import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

/** A tenant's place for one stream, held by a lease. */
export type Place = { cnpj: string; id: string }

export type StreamPlaces = {
  /** @throws GanchoError TOO_MANY_SUBSCRIPTIONS when the tenant has `max` streams already, REDIS_UNAVAILABLE */
  take(cnpj: string, max: number): Promise<Place>
  /** To be called for all that are held, several times within the lease. */
  renew(places: readonly Place[]): Promise<void>
  /** What cannot be given back ends with its lease. */
  giveBack(places: readonly Place[]): Promise<void>
  /** How many a tenant has taken, on all instances. */
  used(cnpj: string): Promise<number>
}

const batch = 500

/** Counts the streams of tenants over all instances. An instance that dies gives its places back when its leases end. */
export function streamPlaces(redis: Redis, leaseMs: number): StreamPlaces {
  const takePlace = loadScript(redis, 'take-place')
  const renewPlaces = loadScript(redis, 'renew-places')
  return {
    async take(cnpj, max) {
      const id = randomUUID()
      const taken = await takePlace([keys.streams(cnpj)], [id, leaseMs, max])
      if (taken !== 1)
        throw new GanchoError(
          'TOO_MANY_SUBSCRIPTIONS',
          `A tenant has at most ${max} subscriptions at a time.`,
          { details: { max } },
        )
      return { cnpj, id }
    },
    async renew(places) {
      await ofEach(places, (key, ids) => renewPlaces([key], [leaseMs, ...ids]))
    },
    async giveBack(places) {
      await ofEach(places, (key, ids) => redis.zrem(key, ...ids))
    },
    async used(cnpj) {
      const [seconds] = await redis.time()
      return redis.zcount(keys.streams(cnpj), Number(seconds) * 1_000, '+inf')
    },
  }
}

/** Calls with a tenant's key and some of its ids, until all have had their turn. */
async function ofEach(
  places: readonly Place[],
  call: (key: string, ids: string[]) => Promise<unknown>,
): Promise<void> {
  const byTenant = Map.groupBy(places, ({ cnpj }) => cnpj)
  for (const [cnpj, held] of byTenant)
    for (let from = 0; from < held.length; from += batch)
      await call(
        keys.streams(cnpj),
        held.slice(from, from + batch).map(({ id }) => id),
      )
}
