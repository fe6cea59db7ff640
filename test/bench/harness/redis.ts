import { persistence } from '../../../src/redis/server-files.ts'
import { type Fleet, type FleetOptions, openFleet } from '../../support/fleet.ts'
import { startTestRedis } from '../../support/redis.ts'

/** A Redis that keeps its changes as the embedded one does, for everyone who is measured. */
export const startBenchRedis = () => startTestRedis({ config: persistence })

/** Gancho's processes over such a Redis. */
export const measuredFleet = (options: FleetOptions): Promise<Fleet> =>
  openFleet({ ...options, redisConfig: persistence })
