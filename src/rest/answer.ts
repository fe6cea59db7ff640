import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { RateLimitState } from '../events/rate-limit.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { rateLimitHeaders } from './rate-limit-headers.ts'
import type { RouteAnswer } from './route.ts'

/** REST's translation of what was thrown. Unexpected errors are logged here, once, and tell the caller nothing but the request id. */
export function errorAnswer(error: unknown, requestId: string, log: Logger): RouteAnswer {
  const known = toGanchoError(error)
  if (known.isFault) log.error({ err: known, requestId }, 'request failed')
  const { code, message, details, retryAfterSeconds } = known
  const headers: Record<string, string> = {}
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  if (code === 'RATE_LIMITED') Object.assign(headers, rateLimitHeaders(details as RateLimitState))
  if (code === 'UNAUTHENTICATED') headers['www-authenticate'] = 'Bearer'
  return { status: known.status, headers, body: { error: { code, message, requestId, details } } }
}

/** Bytes up to this are sent in one piece with the headers, as a text of as many characters: Node sends a Buffer as a piece of its own. */
const mostTextBytes = 16 * 1024

/** Longest time in which the rest of a body that nobody wants is thrown away. */
const lingerMs = 1_000

/** Sends an answer, as JSON unless it is bytes. What of the request was not read is not waited for: the connection ends with the answer. */
export function sendAnswer(response: ServerResponse, { status, body, headers }: RouteAnswer): void {
  if (response.headersSent || response.destroyed) return
  const content = body instanceof Buffer ? body : body === undefined ? '' : JSON.stringify(body)
  response.statusCode = status
  if (content) response.setHeader('content-type', 'application/json; charset=utf-8')
  for (const name in headers) response.setHeader(name, headers[name] ?? '')
  if (status !== 204) response.setHeader('content-length', Buffer.byteLength(content))
  if (!response.req.complete) endUnread(response, content)
  else if (typeof content === 'string' || content.length > mostTextBytes) response.end(content)
  else response.end(content.toString('latin1'), 'latin1')
}

/**
 * The sender is still sending. Closing now would make its system throw the answer away before it is read (RFC 9112, section 9.6), so
 * the connection stays until the sender has stopped, for a second at most.
 */
function endUnread(response: ServerResponse, content: string | Buffer): void {
  const { req } = response
  response.setHeader('connection', 'close')
  response.flushHeaders()
  if (content.length > 0) response.write(content)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, lingerMs)
  for (const event of ['end', 'close']) req.once(event, end)
  req.resume()
}
