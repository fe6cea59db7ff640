import { Counter, Gauge, type Registry } from 'prom-client'
import type { StreamReport } from '../graphql/stream-report.ts'

/** Subscriptions that this process carries. */
export function streamMetrics(registry: Registry): StreamReport {
  const registers = [registry]
  const open = new Gauge({
    ...{ name: 'gancho_streams_open', registers, labelNames: ['transport'] as const },
    help: 'Subscriptions that are open.',
  })
  const ended = new Counter({
    ...{ name: 'gancho_streams_ended_total', registers, labelNames: ['code'] as const },
    help: 'Subscriptions that ended, by the code of the error that they told, or DONE.',
  })
  for (const transport of ['sse', 'websocket'] as const) open.set({ transport }, 0)
  return {
    opened: (transport) => open.inc({ transport }),
    ended(transport, code) {
      open.dec({ transport })
      ended.inc({ code })
    },
  }
}
