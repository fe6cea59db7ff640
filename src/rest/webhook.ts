import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { isJson } from '../events/content-type.ts'
import { type Accepted, type IncomingEvent, keptHeaders } from '../events/event.ts'
import { type EventReport, noEventReport } from '../events/event-report.ts'
import type { Intake } from '../events/intake.ts'
import { jobId } from '../events/job.ts'
import { parseJson } from '../events/json-check.ts'
import { maxOrderingKeyLength, orderingHeader } from '../events/ordering.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { maxBodyBytesOf, rateLimitOf } from '../tenants/limits.ts'
import type { Authenticate, Principal } from '../tenants/principal.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { errorAnswer, sendAnswer } from './answer.ts'
import { rateLimitHeaders } from './rate-limit-headers.ts'
import { readBody } from './request-body.ts'
import { requestIdOf } from './request-id.ts'

type Deps = {
  intake: Intake
  authenticate: Authenticate
  maxBodyBytes: number
  log: Logger
  report?: EventReport
}

/**
 * `POST /webhook`: answers 202 once the event is durable. Runs on node:http directly, without router and middleware, because every
 * event passes here.
 */
export function webhookHandler({ report = noEventReport, ...deps }: Deps) {
  const { intake, authenticate, maxBodyBytes, log } = deps
  const accept = async (request: IncomingMessage): Promise<Accepted> => {
    const found = authenticate(request)
    const tenant = tenantOf(found instanceof Promise ? await found : found)
    const body = await readBody(request, maxBodyBytesOf(tenant, maxBodyBytes))
    return intake.accept(incomingEvent(tenant, request.headers, body))
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    answerEvent(accept(request), request, response, { report, log })
  }
}

/** Answers an event once it is known what became of it, and reports that. */
export function answerEvent(
  accepting: Promise<Accepted>,
  request: IncomingMessage,
  response: ServerResponse,
  { report, log }: { report: EventReport; log: Logger },
): void {
  const requestId = requestIdOf(request)
  accepting.then(
    (accepted) => {
      report.accepted(accepted.repeated)
      sendAccepted(response, accepted, requestId)
    },
    (error) => {
      report.refused(toGanchoError(error).code)
      const { headers, ...answer } = errorAnswer(error, requestId, log)
      const own = { 'x-request-id': requestId, 'x-content-type-options': 'nosniff' }
      sendAnswer(response, { ...answer, headers: { ...own, ...headers } })
    },
  )
}

/** `id` is null where no destination matched. */
function sendAccepted(
  response: ServerResponse,
  { eventId, ns, rateLimit }: Accepted,
  requestId: string,
): void {
  if (response.headersSent || response.destroyed) return
  const ids = ns.map(jobId)
  // ASCII: as many bytes as characters.
  const content = JSON.stringify({ id: ids[0] ?? null, ids, eventId })
  const headers = [
    ...['x-request-id', requestId, 'x-content-type-options', 'nosniff'],
    ...['content-type', 'application/json; charset=utf-8', 'content-length', String(content.length)],
  ]
  if (rateLimit) headers.push(...Object.entries(rateLimitHeaders(rateLimit)).flat())
  response.writeHead(202, headers).end(content, 'latin1')
}

function tenantOf(principal: Principal): Tenant {
  if (principal.kind === 'tenant') return principal.tenant
  throw new GanchoError('FORBIDDEN', 'Events are posted with the token of a tenant, not of an administrator.')
}

/** The event of a request. @throws GanchoError INVALID_JSON, UNSUPPORTED_ENCODING, BAD_REQUEST */
export function incomingEvent(
  tenant: Pick<Tenant, 'cnpj' | 'settings'>,
  headers: IncomingHttpHeaders,
  body: Buffer,
): IncomingEvent {
  const contentType = headers['content-type'] ?? null
  return {
    ...(isJson(contentType) && { json: checkedJson(headers, body) }),
    cnpj: tenant.cnpj,
    eventType: headerText(headers, 'x-event-type', 128),
    correlationId: headerText(headers, 'x-correlation-id', 255),
    contentType,
    headers: keptHeaders(headers),
    body,
    idempotencyKey: headerText(headers, 'idempotency-key', 255) ?? webhookId(headers),
    orderingKey: headerText(headers, orderingHeader, maxOrderingKeyLength),
    rateLimit: rateLimitOf(tenant),
  }
}

/** The sender's id of the event (Standard Webhooks), when it can serve as a key; other senders use that header as they like. */
function webhookId(headers: IncomingHttpHeaders): string | null {
  const id = headers['webhook-id']
  return typeof id === 'string' && id.length <= 255 && printable.test(id) ? id : null
}

function checkedJson(headers: IncomingHttpHeaders, body: Buffer): unknown {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new GanchoError(
      'UNSUPPORTED_ENCODING',
      `JSON is taken without Content-Encoding, not as ${encoding.slice(0, 40)}.`,
    )
  }
  return parseJson(body)
}

const printable = /^[!-~]+$/

/** @throws GanchoError BAD_REQUEST */
export function headerText(headers: IncomingHttpHeaders, name: string, maxLength: number): string | null {
  const value = headers[name]
  if (value === undefined || value === '') return null
  if (typeof value === 'string' && value.length <= maxLength && printable.test(value)) return value
  throw new GanchoError(
    'BAD_REQUEST',
    `${name} takes 1 to ${maxLength} printable ASCII characters without blanks.`,
  )
}
