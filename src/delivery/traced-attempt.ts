import { jobId } from '../events/job.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { AttemptResult, DeliveryRequest } from './attempt.ts'
import type { Begun } from './outcome-record.ts'

/** Sends a request, by `send`, as a part of the event's trace. */
export type TraceAttempt = (
  begun: Begun,
  request: DeliveryRequest,
  send: (request: DeliveryRequest) => Promise<AttemptResult>,
) => Promise<AttemptResult>

/** Makes each attempt a span below that of the event's acceptance, whoever accepted it and however long ago, and tells the receiver. */
export function attemptTracer(tracing: Tracing): TraceAttempt {
  return ({ job, attempt }, request, send) =>
    tracing.run(
      {
        name: 'deliver',
        kind: 'client',
        parent: job.headers,
        attributes: {
          'http.request.method': 'POST',
          'server.address': URL.parse(request.url)?.hostname ?? null,
          'gancho.tenant': job.cnpj,
          'gancho.event.id': job.eventId,
          'gancho.job.id': jobId(job.n),
          'gancho.job.round': job.round,
          'gancho.attempt': attempt,
          'gancho.queue': job.queue,
          'gancho.destination': job.destination,
        },
      },
      async (span) => {
        const result = await send({ ...request, headers: { ...request.headers, ...span.headers } })
        const { outcome } = result
        if (outcome.kind !== 'answered') span.fail(outcome.error)
        else {
          span.set({ 'http.response.status_code': outcome.status })
          if (outcome.status >= 300) span.fail(`answered ${outcome.status}`)
        }
        return result
      },
    )
}
