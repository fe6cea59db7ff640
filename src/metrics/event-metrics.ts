import { Counter, type Registry } from 'prom-client'
import type { EventReport } from '../events/event-report.ts'

/** Events as callers send them. */
export function eventMetrics(registry: Registry): EventReport {
  const registers = [registry]
  const accepted = new Counter({
    ...{ name: 'gancho_events_accepted_total', registers },
    help: 'Events that were accepted and are durable.',
  })
  const repeated = new Counter({
    ...{ name: 'gancho_events_repeated_total', registers },
    help: 'Events that got the answer of an earlier one with the same idempotency key.',
  })
  const refused = new Counter({
    ...{ name: 'gancho_events_refused_total', registers, labelNames: ['code'] as const },
    help: 'Events that were refused, by the code of the answer.',
  })
  return {
    accepted: (isRepeat) => (isRepeat ? repeated : accepted).inc(),
    refused: (code) => refused.inc({ code }),
  }
}
