import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { Accepted } from '../events/event.ts'
import { type EventReport, noEventReport } from '../events/event-report.ts'
import type { Intake } from '../events/intake.ts'
import type { LastUses } from '../tenants/last-uses.ts'
import { maxBodyBytesOf } from '../tenants/limits.ts'
import type { OpenSource } from '../tenants/sources/open-source.ts'
import { schemes } from '../tenants/sources/schemes.ts'
import type { KnownSource } from '../tenants/sources/source-directory.ts'
import { readBody } from './request-body.ts'
import { answerEvent, incomingEvent } from './webhook.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void
type Deps = {
  intake: Intake
  openSource: OpenSource
  /** Told of each source whose signature was valid. */
  uses: Pick<LastUses, 'note'>
  maxBodyBytes: number
  log: Logger
  report?: EventReport
  /** For every other request. */
  otherwise: Handler
}

const address = /^\/webhook\/(src_[^/?]+)\/?(?:\?|$)/

/** `POST /webhook/:source`: as `POST /webhook`, for senders that sign their requests instead of showing a token. */
export function sourceWebhookHandler({ report = noEventReport, ...deps }: Deps): Handler {
  const { intake, openSource, uses, maxBodyBytes, log, otherwise } = deps
  const accept = async (id: string, request: IncomingMessage): Promise<Accepted> => {
    const known = await openSource(id, request)
    const body = await readBody(request, maxBodyBytesOf(known.tenant, maxBodyBytes))
    requireSignature(known, request, body)
    uses.note(known.source.id, Date.now())
    const event = incomingEvent(known.tenant, request.headers, body)
    // The key of this scheme is signed: another one beside it would let a replay pass for a new event.
    const idempotencyKey =
      known.source.scheme === 'standard-webhooks' ? signedKey(request) : event.idempotencyKey
    return intake.accept({ ...event, idempotencyKey })
  }
  return (request, response) => {
    const id = request.method === 'POST' ? address.exec(request.url ?? '')?.[1] : undefined
    if (id === undefined) {
      otherwise(request, response)
      return
    }
    answerEvent(accept(id, request), request, response, { report, log })
  }
}

const signedKey = ({ headers }: IncomingMessage) => String(headers['webhook-id'])

function requireSignature(
  { source, secrets }: KnownSource,
  { headers }: IncomingMessage,
  body: Buffer,
): void {
  const { verify } = schemes[source.scheme]
  if (!verify({ headers, body }, secrets, source.options, Date.now()))
    throw new GanchoError('INVALID_SIGNATURE')
}
