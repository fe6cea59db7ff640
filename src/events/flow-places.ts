import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import type { Job } from './job.ts'

/**
 * What a job waits for that is kept back: for its turn among the jobs that its tenant has for the same destination, or for those of its
 * ordering key. `before`: how many of these come first.
 */
export type FlowPlace = { kind: 'turn' | 'order'; before: number }

/** Null for a job that is not kept back. */
export type FlowPlaces = (job: Pick<Job, 'n' | 'cnpj' | 'destination'>) => Promise<FlowPlace | null>

export const flowPlaces =
  (redis: Redis): FlowPlaces =>
  async ({ n, cnpj, destination }) => {
    const [kept, ordering] = await redis.hmget(keys.job(n), 'kept', 'ordering')
    if (!kept) return null
    const isOrder = kept === 'order'
    const line = isOrder ? keys.order(destination, cnpj, ordering ?? '') : keys.backlog(destination, cnpj)
    const before = await redis.zrank(line, String(n))
    return before === null ? null : { kind: isOrder ? 'order' : 'turn', before }
  }
