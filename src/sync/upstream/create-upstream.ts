import type { HttpClient } from '../../delivery/http-client.ts'
import { type BreakerOptions, createBreaker, type Sign } from './breaker.ts'
import { before, type Deadline, startDeadline } from './deadline.ts'
import { externalIdIn } from './external-id.ts'
import { failed } from './failure.ts'
import { type Answered, hadNoEffect, type Post, type PostDeps, post } from './post.ts'
import { exchangeKey } from './token-exchange.ts'
import { type AccessToken, createTokens, fixedToken, type Tokens } from './tokens.ts'
import type { Upstream, UpstreamAnswer, UpstreamFailure, UpstreamRequest } from './upstream.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

export type UpstreamDeps = {
  client: HttpClient
  log: { info(facts: object, message: string): void; warn(facts: object, message: string): void }
  breaker: BreakerOptions
  /** See `PostDeps`. */
  repeatAfterMs: readonly number[]
  /** How long a failed exchange of the API key stands. */
  tokenFailureMs: number
  /** Epoch milliseconds. */
  now: () => number
}

/** The upstream that `settings` describe, with its access token and its breaker. */
export function createUpstream(settings: UpstreamSettings, deps: UpstreamDeps): Upstream {
  const { name, timeoutMs, replyIdPointer, errorPointer, deliverReplies, tenants } = settings
  const { log } = deps
  const posting: PostDeps = {
    client: deps.client,
    name,
    repeatAfterMs: deps.repeatAfterMs,
    onTrouble: (detail) => log.warn({ upstream: name, detail }, 'upstream gave no answer'),
  }
  const tokens = tokensOf(settings, posting, deps)
  const breaker = createBreaker({
    options: deps.breaker,
    onOpen: () => log.warn({ upstream: name }, 'upstream fails too often: it is not called for a while'),
    onClose: () => log.info({ upstream: name }, 'upstream answers again'),
  })
  return {
    ...{ name, timeoutMs, replyIdPointer, errorPointer, deliverReplies },
    allows: (cnpj) => tenants === undefined || tenants.includes(cnpj),
    async call(request) {
      const deadline = startDeadline(timeoutMs, request.signal)
      const send = (token: AccessToken) => post(posting, postOf(settings, request, token), deadline)
      try {
        const answer = await breaker.run(
          () => callOnce({ settings, tokens, send, deadline }),
          (value) => signOf(value, deadline),
        )
        return answer ?? unavailable(name)
      } finally {
        deadline.stop()
      }
    },
  }
}

function tokensOf(settings: UpstreamSettings, posting: PostDeps, deps: UpstreamDeps): Tokens {
  const { name, tokenPath, apiKey } = settings
  if (tokenPath === null) return fixedToken(apiKey)
  return createTokens({
    exchange: () => exchangeKey(posting, { ...settings, tokenPath }),
    onFailedRenewal: ({ code, status }) =>
      deps.log.warn({ upstream: name, code, status }, 'access token of the upstream was not renewed'),
    failureMs: deps.tokenFailureMs,
    now: deps.now,
  })
}

type Call = {
  settings: UpstreamSettings
  tokens: Tokens
  send: (token: AccessToken) => Promise<Answered | UpstreamFailure>
  deadline: Deadline
}

/** A token that is refused is replaced once: 401 says that nothing was done with it (RFC 9110, 15.5.2). */
async function callOnce({ settings, tokens, send, deadline }: Call): Promise<UpstreamAnswer> {
  const { name, tokenPath, idPointer } = settings
  const tokenFor = async (refused?: AccessToken) =>
    (await before(deadline, tokens.current(refused))) ?? tookTooLong(name)
  const token = await tokenFor()
  if ('kind' in token) return token
  const first = await send(token)
  if (first.kind === 'failed') return first
  if (first.status !== 401 || tokenPath === null) return judge(name, idPointer, first)
  const renewed = await tokenFor(token)
  if ('kind' in renewed) return renewed
  const second = await send(renewed)
  return second.kind === 'failed' ? second : judge(name, idPointer, second)
}

function postOf(settings: UpstreamSettings, request: UpstreamRequest, token: AccessToken): Post {
  const { origin, requestPath: path, callbackHeader } = settings
  const body = request.body?.toString('utf8')
  const headers: Record<string, string> = {
    'user-agent': 'Gancho',
    accept: 'application/json',
    authorization: `Bearer ${token.text}`,
    'idempotency-key': sendable(request.idempotencyKey),
  }
  if (callbackHeader !== null) headers[callbackHeader.toLowerCase()] = request.callbackUrl
  if (body !== undefined) headers['content-type'] = 'application/json'
  return { origin, path, headers, body }
}

/** Callers choose their keys; a header carries printable ASCII everywhere. */
const sendable = (key: string) => key.toWellFormed().replace(/[^!-~]/gu, encodeURIComponent)

function judge(name: string, idPointer: string, answered: Answered): UpstreamAnswer {
  const { status } = answered
  if (status >= 400 && status < 500) {
    // 408 and 409 may tell of an earlier request with the same key that is still being worked on.
    const maybeSent = status === 408 || status === 409
    return failed('UPSTREAM_REFUSED', `Upstream ${name} refused the request with ${status}.`, {
      status,
      maybeSent,
    })
  }
  if (status >= 300) {
    const maybeSent = !hadNoEffect(answered)
    return failed('UPSTREAM_ERROR', `Upstream ${name} answered ${status}.`, { status, maybeSent })
  }
  return accepted(name, idPointer, answered)
}

function accepted(name: string, idPointer: string, { status, text }: Answered): UpstreamAnswer {
  const taken = { status, maybeSent: true }
  try {
    const body: unknown = JSON.parse(text)
    const externalId = externalIdIn(text, idPointer, body)
    if (externalId !== undefined) return { kind: 'accepted', externalId, body }
  } catch {
    return failed('UPSTREAM_UNREADABLE', `Upstream ${name} answered ${status} without valid JSON.`, taken)
  }
  const where = idPointer === '' ? 'as its answer' : `at ${idPointer}`
  return failed('UPSTREAM_NO_ID', `Upstream ${name} answered ${status} without an id ${where}.`, taken)
}

const tookTooLong = (name: string) =>
  failed('UPSTREAM_TIMEOUT', `Upstream ${name} gave no access token in time.`, { maybeSent: false })

const unavailable = (name: string) =>
  failed('UPSTREAM_UNAVAILABLE', `Upstream ${name} fails too often and is left alone for a moment.`, {
    maybeSent: false,
  })

/** What counts is whether it works, not whether it likes the request. A caller who waits too short a time shows nothing. */
function signOf(answer: UpstreamAnswer, deadline: Deadline): Sign {
  if (answer.kind === 'accepted') return 'healthy'
  if (answer.code === 'UPSTREAM_TIMEOUT') return deadline.wasCutShort() ? 'unknown' : 'broken'
  const broken = answer.code === 'UPSTREAM_UNREACHABLE' || (answer.status ?? 0) >= 500
  if (broken) return deadline.wasCutShort() ? 'unknown' : 'broken'
  return 'healthy'
}
