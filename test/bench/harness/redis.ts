import { persistence } from '../../../src/redis/server-files.ts'
import { startTestRedis } from '../../support/redis.ts'

/** A Redis that keeps its changes as the embedded one does, for everyone who is measured. */
export const startBenchRedis = () => startTestRedis({ config: persistence })
