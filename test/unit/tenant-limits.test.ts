import { expect, test } from 'vitest'
import { rateLimitHeaders } from '../../src/rest/rate-limit-headers.ts'
import { maxBodyBytesOf, rateLimitOf } from '../../src/tenants/limits.ts'

test.each([
  ['nothing', {}, undefined],
  ['a burst alone', { burst: 5 }, undefined],
  ['a rate', { requestsPerSecond: 100 }, { perSecond: 100, burst: 100 }],
  ['a rate with a burst', { requestsPerSecond: 100, burst: 5 }, { perSecond: 100, burst: 5 }],
  ['a rate below one', { requestsPerSecond: 0.25 }, { perSecond: 0.25, burst: 1 }],
  ['a rate with many decimals', { requestsPerSecond: 1 / 3 }, { perSecond: 0.333, burst: 1 }],
  ['a rate that rounds to none', { requestsPerSecond: 0.0001 }, { perSecond: 0.001, burst: 1 }],
])('%s makes the limit that Redis can count', (_what, limits, expected) => {
  expect(rateLimitOf({ settings: { limits } })).toEqual(expected)
})

test('an event may have the size that tenant and process both allow', () => {
  const sizes = [undefined, 10, 30].map((maxBodyBytes) =>
    maxBodyBytesOf({ settings: maxBodyBytes ? { limits: { maxBodyBytes } } : {} }, 20),
  )
  expect(sizes).toEqual([20, 10, 20])
})

test('the headers tell whole seconds that are never too short', () => {
  const state = { perSecond: 100, burst: 150, remaining: 149, fullInMs: 10 }
  expect(rateLimitHeaders(state)).toEqual({
    'ratelimit-policy': '"default";q=150;w=2',
    ratelimit: '"default";r=149;t=1',
  })
})
