import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { type Accepted, type IncomingEvent, keptHeaders } from '../events/event.ts'
import { type EventReport, noEventReport } from '../events/event-report.ts'
import type { Intake } from '../events/intake.ts'
import type { Capabilities, Capability } from '../sync/capability.ts'
import { reportsFailure } from '../sync/reply-candidates.ts'
import type { Upstreams } from '../sync/upstream/upstream.ts'
import { readBody } from './request-body.ts'
import { answerEvent, incomingEvent } from './webhook.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void
type Deps = {
  /** One in which events answer calls. */
  intake: Intake
  capabilities: Pick<Capabilities, 'open'>
  upstreams: Upstreams
  maxBodyBytes: number
  log: Logger
  report?: EventReport
  /** For every other request. */
  otherwise: Handler
}

const address = /^\/callback\/([^/?]+)\/?(?:\?|$)/

/**
 * `POST /callback/:capability`: takes the reply to one call from whoever was given its URL. An event like any other, but bound by no
 * rate limit, because the call was allowed; a repeat is counted and makes no job.
 */
export function callbackHandler({ report = noEventReport, ...deps }: Deps): Handler {
  const { capabilities, log, otherwise } = deps
  return (request, response) => {
    const sealed = request.method === 'POST' ? address.exec(request.url ?? '')?.[1] : undefined
    if (sealed === undefined) {
      otherwise(request, response)
      return
    }
    answerEvent(accept(deps, capabilities.open(sealed), request), request, response, { report, log })
  }
}

async function accept(
  { intake, upstreams, maxBodyBytes }: Deps,
  capability: Capability | undefined,
  request: IncomingMessage,
): Promise<Accepted> {
  // The same for one that was never given and one that has expired.
  if (!capability) throw new GanchoError('NOT_FOUND', 'This callback URL is not valid, or not any more.')
  const { awaitId, cnpj } = capability
  const upstream = upstreams.get(capability.upstream)
  const body = await readBody(request, maxBodyBytes)
  const event = eventOf(cnpj, request.headers, body)
  const failed = upstream !== undefined && reportsFailure(upstream, event.json)
  const deliver = upstream?.deliverReplies ?? true
  return intake.accept({ ...event, named: { awaitId, failed, deliver } })
}

/** With a key, a repeat would be answered before it is counted; and one of a wrong form is no reason to refuse a reply. */
function eventOf(cnpj: string, headers: IncomingHttpHeaders, body: Buffer): IncomingEvent {
  const sender = { cnpj, settings: {} }
  if (!('idempotency-key' in headers || 'webhook-id' in headers)) return incomingEvent(sender, headers, body)
  const withoutKeys = { ...headers, 'idempotency-key': undefined, 'webhook-id': undefined }
  return { ...incomingEvent(sender, withoutKeys, body), headers: keptHeaders(headers) }
}
