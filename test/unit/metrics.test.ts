import { expect, test } from 'vitest'
import { createMetrics, type MetricSources } from '../../src/metrics/metrics.ts'
import { figuresOf } from '../support/metrics.ts'

const sources = (staleSince: number | null): MetricSources => ({
  tenantCache: () => ({ tenants: 3, staleSince }),
  redis: async () => null,
  awaiting: () => 4,
})
const linesOf = ({ text }: { text: string }) => text.split('\n')

test('for how long tenants are stale is told in seconds, and ends', async () => {
  let now = 10_000
  const metrics = createMetrics(() => now)
  expect(linesOf(await metrics.scrape(sources(null)))).toContain('gancho_tenant_cache_stale_seconds 0')
  now = 20_500
  const stale = linesOf(await metrics.scrape(sources(10_000)))
  expect(stale).toContain('gancho_tenant_cache_stale_seconds 10.5')
  expect(stale).toContain('gancho_tenant_cache_tenants 3')
  expect(linesOf(await metrics.scrape(sources(null)))).toContain('gancho_tenant_cache_stale_seconds 0')
})

test('each app has metrics of its own', async () => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.events.accepted(false)
  expect(linesOf(await one.scrape(sources(null)))).toContain('gancho_events_accepted_total 1')
  expect(linesOf(await other.scrape(sources(null)))).toContain('gancho_events_accepted_total 0')
})

test('a job that comes back without an attempt was not retried', async () => {
  const metrics = createMetrics()
  const attempt = { outcome: 'RETRY', tookMs: 20 } as const
  const retrying = { queue: 'q', status: 'RETRYING', sinceAcceptedMs: undefined }
  metrics.delivery({ ...retrying, attempt })
  metrics.delivery({ ...retrying, attempt: undefined })
  expect(linesOf(await metrics.scrape(sources(null)))).toContain('gancho_jobs_retried_total{queue="q"} 1')
})

test('the counters of a queue are there before its first job fails, so that an alert sees the first one', async () => {
  const metrics = createMetrics()
  const withQueue = { ...sources(null), redis: async () => figuresOf('q') }
  expect(linesOf(await metrics.scrape(withQueue))).toContain('gancho_jobs_failed_total{queue="q"} 0')
  metrics.delivery({ queue: 'q', status: 'FAILED', attempt: undefined, sinceAcceptedMs: undefined })
  expect(linesOf(await metrics.scrape(withQueue))).toContain('gancho_jobs_failed_total{queue="q"} 1')
})

test('calls are counted by their outcomes, with the time until their answers', async () => {
  const metrics = createMetrics()
  metrics.awaiting.answered('reply-failed', 1_500)
  metrics.awaiting.called('bank', { kind: 'accepted', externalId: 'a', body: null })
  const lines = linesOf(await metrics.scrape(sources(null)))
  expect(lines).toContain('gancho_awaited_replies_waiting 4')
  expect(lines).toContain('gancho_awaited_replies_total{outcome="failed"} 1')
  expect(lines).toContain('gancho_awaited_reply_duration_seconds_sum{outcome="failed"} 1.5')
  expect(lines).toContain('gancho_upstream_calls_total{upstream="bank",outcome="ACCEPTED"} 1')
})

test('the latency of a delivery leaves out jobs that were reprocessed, and those that were not delivered', async () => {
  const metrics = createMetrics()
  const attempt = { outcome: 'DELIVERED', tookMs: 20 } as const
  metrics.delivery({ queue: 'q', status: 'DELIVERED', attempt, sinceAcceptedMs: 300 })
  metrics.delivery({ queue: 'q', status: 'DELIVERED', attempt, sinceAcceptedMs: undefined })
  metrics.delivery({ queue: 'q', status: 'FAILED', attempt: undefined, sinceAcceptedMs: 300 })
  const lines = linesOf(await metrics.scrape(sources(null)))
  expect(lines).toContain('gancho_delivery_latency_seconds_count{queue="q"} 1')
  expect(lines).toContain('gancho_delivery_latency_seconds_sum{queue="q"} 0.3')
  expect(lines).toContain('gancho_delivery_attempt_duration_seconds_count{queue="q",outcome="DELIVERED"} 2')
  expect(lines).toContain('gancho_jobs_failed_total{queue="q"} 1')
})
