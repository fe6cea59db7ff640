import { Counter, type Registry } from 'prom-client'
import type { OperationReport } from '../delivery/operations.ts'

/** What this process told people of. */
export function operationMetrics(registry: Registry): OperationReport {
  const told = new Counter({
    ...{ name: 'gancho_operational_events_total', registers: [registry], labelNames: ['type'] as const },
    help: 'What people were told of: breakers that opened and closed, destinations put out of service, failed jobs.',
  })
  return (type) => told.inc({ type })
}
