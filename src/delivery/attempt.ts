import type { AttemptTiming } from '../events/job.ts'
import { type Exchanged, exchange, type ResponseHeaders } from './exchange.ts'
import { type HiddenSecrets, maskedHeaders, withoutSecrets } from './hidden-secrets.ts'
import type { HttpClient } from './http-client.ts'
import { parseRetryAfter } from './retry-after.ts'

export const deliveryMethod = 'POST'

export type DeliveryRequest = {
  url: string
  /** Names in lower case, see `deliveryHeaders`. */
  headers: Record<string, string>
  body: Buffer
  hidden?: HiddenSecrets
}

export type AttemptOptions = {
  /** Deadline of everything, from waiting for a connection to the last byte of the answer. */
  timeoutMs: number
  /** Aborted at shutdown. */
  signal?: AbortSignal
  /** Epoch milliseconds. */
  now?: () => number
}

export type Outcome =
  | { kind: 'answered'; status: number; retryAfterMs: number | null }
  | { kind: 'unanswered'; error: string }
  /** Nothing was sent, because deliveries may not go to this address (see AddressGuard). */
  | { kind: 'refused'; error: string }

/** What became of one request, and what is recorded of it. */
export type AttemptResult = {
  outcome: Outcome
  /** Epoch milliseconds. */
  startedAt: number
  /** As sent, with `host` and `content-length`; values of hidden headers and of those that look like credentials are masked. */
  requestHeaders: Record<string, string>
  responseHeaders: ResponseHeaders | null
  /** First 16 KiB, decoded as UTF-8. */
  responseBody: string | null
  /** Why an answer's body is not whole; null when it is, or when there was no answer. */
  bodyError: string | null
  /** `firstByteMs` counts from the request being written, so it is the time that the receiver took. */
  timing: AttemptTiming
}

/**
 * Sends `request` as one POST. Never rejects: that nothing came back is an outcome too.
 *
 * The status line decides. Once it is there the receiver has answered, whatever becomes of the body: an event that was accepted with
 * 200 must not be sent again because the text behind it hangs or breaks off.
 */
export async function attempt(
  client: HttpClient,
  request: DeliveryRequest,
  options: AttemptOptions,
): Promise<AttemptResult> {
  const now = options.now ?? Date.now
  const startedAt = now()
  const url = destinationUrl(request.url)
  const exchanged = typeof url === 'string' ? notSent(url) : await post(client, url, request, options)
  const { response, error, timing } = exchanged
  return {
    outcome: outcomeOf(exchanged, now()),
    startedAt,
    requestHeaders: shownHeaders(request, typeof url === 'string' ? null : url),
    responseHeaders: response && shownAnswer(response.headers, request.hidden),
    responseBody: response && withoutSecrets(response.body, request.hidden),
    bodyError: response && error,
    timing,
  }
}

function outcomeOf({ response, error, refused }: Exchanged, nowMs: number): Outcome {
  if (!response) return { kind: refused ? 'refused' : 'unanswered', error: error ?? 'no answer' }
  const retryAfterMs = parseRetryAfter(response.headers['retry-after'], nowMs)
  return { kind: 'answered', status: response.status, retryAfterMs }
}

/** The URL, or what is wrong with it. */
function destinationUrl(text: string): URL | string {
  const url = URL.parse(text)
  if (!url) return `ERR_INVALID_URL ${text.slice(0, 200)}`
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : `ERR_INVALID_PROTOCOL ${url.protocol}`
}

function post(client: HttpClient, url: URL, { headers, body }: DeliveryRequest, options: AttemptOptions) {
  const { timeoutMs, signal } = options
  const request = {
    origin: url.origin,
    path: url.pathname + url.search,
    method: deliveryMethod,
    headers,
    body,
  } as const
  return exchange(client, request, { timeoutMs, signal })
}

function notSent(error: string): Exchanged {
  const none = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, socketReused: null }
  return { response: null, error, ...{ refused: false, sent: false }, timing: { ...none, totalMs: 0 } }
}

/** The request's headers as they go out, `host` and `content-length` included, without what must not be shown. */
export function shownHeaders(
  { headers, body, hidden }: DeliveryRequest,
  url: URL | null,
): Record<string, string> {
  const added: Record<string, string> = { 'content-length': String(body.length) }
  if (url) added.host = url.host
  return maskedHeaders(Object.assign(added, headers), hidden)
}

function shownAnswer(headers: ResponseHeaders, hidden: HiddenSecrets | undefined): ResponseHeaders {
  const shown: ResponseHeaders = maskedHeaders(headers, undefined)
  if (!hidden || hidden.values.length === 0) return shown
  for (const [name, value] of Object.entries(shown)) {
    const cleared = [value].flat().map((text) => withoutSecrets(text, hidden))
    shown[name] = Array.isArray(value) ? cleared : (cleared[0] ?? '')
  }
  return shown
}
