import { collectDefaultMetrics, Registry } from 'prom-client'
import type { DeliveryReport } from '../delivery/delivery-report.ts'
import type { EventReport } from '../events/event-report.ts'
import type { CacheReport } from '../tenants/cache-report.ts'
import type { DirectoryStatus } from '../tenants/directory.ts'
import { deliveryMetrics } from './delivery-metrics.ts'
import { eventMetrics } from './event-metrics.ts'
import type { RedisFigures } from './redis-figures.ts'
import { redisMetrics } from './redis-metrics.ts'
import { tenantCacheMetrics } from './tenant-cache-metrics.ts'

/** What is looked at when somebody asks. Neither may reject, and both must be bounded in time. */
export type MetricSources = {
  tenantCache: () => DirectoryStatus
  redis: () => Promise<RedisFigures | null>
}

export type Metrics = {
  events: EventReport
  delivery: DeliveryReport
  tenantCache: CacheReport
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
  return {
    events: eventMetrics(registry),
    delivery: deliveryMetrics(registry),
    tenantCache: tenantCache.report,
    async scrape(sources) {
      const figures = await sources.redis()
      showRedis(figures)
      tenantCache.show(sources.tenantCache(), now())
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
