import { type Job, jobId } from '../events/job.ts'
import { orderingHeader } from '../events/ordering.ts'
import { traceHeadersOf } from '../tracing/tracing.ts'
import type { Destination } from './destination.ts'

/**
 * Headers of attempt number `attemptNumber` (from 1, over all rounds), names in lower case. `webhook-id` is the same for every
 * attempt and round, so receivers can drop repeats by it; its two parts are joined by `_`, because a full stop separates the signed
 * parts (Standard Webhooks 1.0.0, "Signature scheme"). The destination's own headers stand below Gancho's, except `user-agent`.
 */
export function deliveryHeaders(
  job: Pick<Job, 'n' | 'eventId' | 'round' | 'contentType' | 'eventType' | 'correlationId' | 'headers'>,
  attemptNumber: number,
  nowMs: number,
  destination: Pick<Destination, 'id' | 'headers'>,
): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': 'Gancho' }
  for (const [name, value] of Object.entries(destination.headers)) headers[name.toLowerCase()] = value
  if (job.contentType !== null) headers['content-type'] = sendable(job.contentType)
  // The body goes out as it came in, so what was done to it must be said.
  const encoding = job.headers['content-encoding']
  if (encoding !== undefined) headers['content-encoding'] = encoding
  if (job.eventType !== null) headers['x-event-type'] = sendable(job.eventType)
  if (job.correlationId !== null) headers['x-correlation-id'] = sendable(job.correlationId)
  const orderingKey = job.headers[orderingHeader]
  if (orderingKey !== undefined) headers[orderingHeader] = sendable(orderingKey)
  return Object.assign(headers, traceHeadersOf(job.headers), {
    'webhook-id': `${job.eventId}_${destination.id}`,
    'webhook-timestamp': String(Math.floor(nowMs / 1000)),
    'x-gancho-job': jobId(job.n),
    'x-gancho-round': String(job.round),
    'x-gancho-attempt': String(attemptNumber),
  })
}

/** A header carries Latin-1 without control characters (RFC 9110, 5.5); what a sender named otherwise is percent-encoded, not refused for ever. */
function sendable(value: string): string {
  return value.toWellFormed().replace(/[^\t\x20-\x7e\x80-\xff]/gu, encodeURIComponent)
}
