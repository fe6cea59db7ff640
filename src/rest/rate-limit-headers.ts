import type { RateLimitState } from '../events/rate-limit.ts'

/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): the burst is the quota, and its window the time in
 * which a spent one is free again. Both are told in whole seconds, rounded up, so that who keeps to them is never refused.
 */
export function rateLimitHeaders(state: RateLimitState): Record<string, string> {
  const { perSecond, burst, remaining, fullInMs } = state
  return {
    'ratelimit-policy': `"default";q=${burst};w=${Math.ceil(burst / perSecond)}`,
    ratelimit: `"default";r=${remaining};t=${Math.ceil(fullInMs / 1_000)}`,
  }
}
