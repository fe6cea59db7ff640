import { collectDefaultMetrics, Registry } from 'prom-client'
import type { DeliveryReport } from '../delivery/delivery-report.ts'
import type { OperationReport } from '../delivery/operations.ts'
import type { EventReport } from '../events/event-report.ts'
import type { StreamReport } from '../graphql/stream-report.ts'
import type { AwaitReport } from '../sync/await-report.ts'
import type { CacheReport } from '../tenants/cache-report.ts'
import type { DirectoryStatus } from '../tenants/directory.ts'
import { awaitMetrics } from './await-metrics.ts'
import { deliveryMetrics } from './delivery-metrics.ts'
import { eventMetrics } from './event-metrics.ts'
import { operationMetrics } from './operation-metrics.ts'
import type { RedisFigures } from './redis-figures.ts'
import { redisMetrics } from './redis-metrics.ts'
import { streamMetrics } from './stream-metrics.ts'
import { tenantCacheMetrics } from './tenant-cache-metrics.ts'

/** What is looked at when somebody asks. None may reject, and all must be bounded in time. */
export type MetricSources = {
  tenantCache: () => DirectoryStatus
  redis: () => Promise<RedisFigures | null>
  /** How many callers wait for a reply. */
  awaiting: () => number
}

export type Metrics = {
  events: EventReport
  delivery: DeliveryReport
  operations: OperationReport
  tenantCache: CacheReport
  streams: StreamReport
  awaiting: AwaitReport
  /** All of them in Prometheus' text format. */
  scrape(sources: MetricSources): Promise<{ contentType: string; text: string }>
}

/**
 * The metrics of one app, with those of its process. Names and units follow
 * https://prometheus.io/docs/practices/naming/.
 */
export function createMetrics(now: () => number = Date.now): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const tenantCache = tenantCacheMetrics(registry)
  const showRedis = redisMetrics(registry)
  const awaiting = awaitMetrics(registry)
  const delivery = deliveryMetrics(registry)
  return {
    events: eventMetrics(registry),
    delivery: delivery.report,
    operations: operationMetrics(registry),
    tenantCache: tenantCache.report,
    streams: streamMetrics(registry),
    awaiting: awaiting.report,
    async scrape(sources) {
      const figures = await sources.redis()
      showRedis(figures)
      delivery.show(figures?.queues.map(({ name }) => name) ?? [])
      awaiting.show(sources.awaiting())
      tenantCache.show(sources.tenantCache(), now())
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
