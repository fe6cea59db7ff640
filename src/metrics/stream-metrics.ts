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
  const made = new Counter({
    ...{ name: 'gancho_stream_results_total', registers },
    help: 'Job events that were executed and serialized, each once for all who wish for the same.',
  })
  for (const transport of ['sse', 'websocket'] as const) open.set({ transport }, 0)
  return {
    resultMade: () => made.inc(),
    opened: (transport) => open.inc({ transport }),
    ended(transport, code) {
      open.dec({ transport })
      ended.inc({ code })
    },
  }
}
