import { GanchoError, isErrorCode } from '../errors.ts'
import { isJson } from '../events/content-type.ts'
import { jobId } from '../events/job.ts'
import { parseJson } from '../events/json-check.ts'
import type { CallFailure, Reply } from '../sync/awaited-reply.ts'
import type { CallAndAwait, CallOutcome } from '../sync/call-and-await.ts'
import type { Route, RouteAnswer, RouteRequest } from './route.ts'
import { headerText } from './webhook.ts'

/**
 * `POST /new-qrcode`: calls the default upstream with the body as it is, and answers with the webhook that comes back. 504 with an
 * `awaitId` when the reply is still to come.
 */
export function newQrcodeRoute({ callAndAwait }: { callAndAwait: CallAndAwait }): Route {
  return {
    method: 'POST',
    path: '/new-qrcode',
    access: 'tenant',
    async handle(request) {
      if (request.principal.kind !== 'tenant') throw new GanchoError('FORBIDDEN')
      const outcome = await callAndAwait({
        tenant: request.principal.tenant,
        body: checked(request.body),
        idempotencyKey: headerText(request.headers, 'idempotency-key', 255),
        signal: request.signal,
      })
      return answerOf(outcome, request)
    },
  }
}

/** @throws GanchoError INVALID_JSON */
function checked(body: Buffer): Buffer | undefined {
  if (body.length === 0) return undefined
  parseJson(body)
  return body
}

function answerOf(outcome: CallOutcome, request: RouteRequest): RouteAnswer {
  switch (outcome.kind) {
    case 'replied':
      return replied(outcome.awaitId, outcome.reply)
    case 'pending':
      return pending(outcome, request)
    case 'reply-failed': {
      const { awaitId, reply } = outcome
      throw new GanchoError('REPLY_FAILED', undefined, { details: { awaitId, payload: shown(reply) } })
    }
    case 'upstream-failed':
      throw upstreamError(outcome.awaitId, outcome.failure)
    case 'too-many': {
      const { max, retryAfterSeconds } = outcome
      throw new GanchoError('TOO_MANY_AWAITING', undefined, { retryAfterSeconds, details: { max } })
    }
  }
}

function replied(awaitId: string, { body, contentType, n }: Reply): RouteAnswer {
  const headers: Record<string, string> = { 'x-gancho-await-id': awaitId, 'cache-control': 'no-store' }
  headers['content-type'] = contentType ?? 'application/octet-stream'
  if (n !== null) headers['x-gancho-job'] = jobId(n)
  return { status: 200, headers, body }
}

/** The id also where the contract has it, beside the error of the form that every error has. */
function pending(
  { awaitId, expiresAt }: { awaitId: string; expiresAt: number },
  { requestId }: RouteRequest,
): RouteAnswer {
  const { code, message, status } = new GanchoError('REPLY_PENDING')
  const details = { awaitId, expiresAt: new Date(expiresAt).toISOString() }
  return {
    status,
    headers: { 'x-gancho-await-id': awaitId },
    body: { awaitId, error: { code, message, requestId, details } },
  }
}

function upstreamError(awaitId: string, { code, status, message }: CallFailure): GanchoError {
  return new GanchoError(isErrorCode(code) ? code : 'UPSTREAM_ERROR', message, {
    details: { awaitId, upstreamStatus: status },
  })
}

function shown({ body, contentType }: Reply): unknown {
  if (contentType !== null && isJson(contentType)) return JSON.parse(body.toString('utf8'))
  return body.toString('utf8')
}
