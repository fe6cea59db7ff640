import { Counter, Histogram, type Registry } from 'prom-client'
import type { DeliveryReport } from '../delivery/delivery-report.ts'

const attemptSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const latencySeconds = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1_800, 3_600, 21_600, 86_400]

/** Deliveries of this process. `show` has the counters of these queues begin at 0: an increase from nothing is not seen by Prometheus. */
export function deliveryMetrics(registry: Registry) {
  const registers = [registry]
  const counter = (name: string, help: string) =>
    new Counter({ name, help, registers, labelNames: ['queue'] as const })
  const byStatus: Record<string, Counter<'queue'>> = {
    DELIVERED: counter('gancho_jobs_delivered_total', 'Jobs that were delivered.'),
    RETRYING: counter('gancho_jobs_retried_total', 'Attempts after which the job is tried again.'),
    FAILED: counter('gancho_jobs_failed_total', 'Jobs that failed for good.'),
  }
  const attempts = new Histogram({
    ...{ name: 'gancho_delivery_attempt_duration_seconds', registers, buckets: attemptSeconds },
    help: 'How long requests to destinations took.',
    labelNames: ['queue', 'outcome'] as const,
  })
  const latency = new Histogram({
    ...{ name: 'gancho_delivery_latency_seconds', registers, buckets: latencySeconds },
    help: 'From the acceptance of an event to its delivery, without jobs that were reprocessed.',
    labelNames: ['queue'] as const,
  })
  const report: DeliveryReport = ({ queue, status, attempt, sinceAcceptedMs }) => {
    // A job that waits for its destination to be known comes back without an attempt.
    if (attempt || status !== 'RETRYING') byStatus[status]?.inc({ queue })
    if (attempt) attempts.observe({ queue, outcome: attempt.outcome }, attempt.tookMs / 1_000)
    if (status === 'DELIVERED' && sinceAcceptedMs !== undefined)
      latency.observe({ queue }, Math.max(0, sinceAcceptedMs) / 1_000)
  }
  const show = (queues: readonly string[]) => {
    for (const queue of queues) for (const one of Object.values(byStatus)) one.inc({ queue }, 0)
  }
  return { report, show }
}
