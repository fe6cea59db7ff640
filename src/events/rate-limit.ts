import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import type { RateLimit } from '../tenants/limits.ts'

/** What a tenant with a rate limit has left of it. */
export type RateLimitState = RateLimit & {
  /** Events that would be taken at once. */
  remaining: number
  /** Time until the whole burst is free again. */
  fullInMs: number
}

/** Code RATE_LIMITED; its details are the state. `waitMs`: until one more event would be taken. */
export function rateLimited(state: RateLimitState, waitMs: number): GanchoError {
  return new GanchoError('RATE_LIMITED', undefined, {
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)),
    details: state,
  })
}

/** A limit as the scripts take it: thousandths of an event a second, and the burst. */
const bucketArguments = (limit: RateLimit | undefined): ScriptArgument[] =>
  limit ? [Math.round(limit.perSecond * 1_000), limit.burst] : ['', '']

/** Reads how many events of its burst a tenant has spent. @throws GanchoError REDIS_UNAVAILABLE */
export type SpentOfBurst = (cnpj: string, limit: RateLimit) => Promise<number>

export function createSpentOfBurst(redis: Redis): SpentOfBurst {
  const script = loadScript(redis, 'rate-spent')
  return async (cnpj, limit) =>
    (await script([`${keys.ratePrefix}${cnpj}`], bucketArguments(limit))) as number
}
