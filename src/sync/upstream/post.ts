import { setTimeout as wait } from 'node:timers/promises'
import { exchange, readBytes } from '../../delivery/exchange.ts'
import type { HttpClient } from '../../delivery/http-client.ts'
import { parseRetryAfter } from '../../delivery/retry-after.ts'
import type { Deadline } from './deadline.ts'
import { failed } from './failure.ts'
import type { UpstreamFailure } from './upstream.ts'

export type Post = {
  origin: string
  path: string
  headers: Record<string, string>
  body: string | undefined
}
/** `retryAfterMs`: what it asked to wait, with the words that it did nothing. */
export type Answered = { kind: 'answered'; status: number; text: string; retryAfterMs: number | null }
export type PostDeps = {
  client: HttpClient
  /** The upstream's name, as callers see it. */
  name: string
  /** Delays before further attempts where the first had no effect; as many as there are. */
  repeatAfterMs: readonly number[]
  /** Told why no answer came, with addresses, for the log. */
  onTrouble: (detail: string) => void
}

/**
 * Sends one POST and reads the answer, up to 1 MiB. It is repeated only where nothing happened yet: when no connection came about, and
 * when the upstream says so, by 429 or 503 with a `Retry-After` that the deadline allows. Never rejects.
 */
export async function post(
  deps: PostDeps,
  request: Post,
  deadline: Deadline,
): Promise<Answered | UpstreamFailure> {
  for (const delayMs of deps.repeatAfterMs) {
    const outcome = await postOnce(deps, request, deadline)
    if (!hadNoEffect(outcome)) return outcome
    const asked = outcome.kind === 'answered' ? (outcome.retryAfterMs ?? 0) : 0
    const pauseMs = Math.max(delayMs, asked)
    if (pauseMs >= deadline.remainingMs() || !(await paused(pauseMs, deadline.signal))) return outcome
  }
  return postOnce(deps, request, deadline)
}

/** Whether the upstream cannot have taken this for the call: it never came there, or was turned away at the door. */
export function hadNoEffect(outcome: Answered | UpstreamFailure): boolean {
  if (outcome.kind === 'answered') return outcome.retryAfterMs !== null
  return outcome.code === 'UPSTREAM_UNREACHABLE' && !outcome.maybeSent
}

async function postOnce(
  { client, name, onTrouble }: PostDeps,
  { origin, path, headers, body }: Post,
  deadline: Deadline,
): Promise<Answered | UpstreamFailure> {
  const { response, error, sent } = await exchange(
    client,
    { origin, path, method: 'POST', headers, body: body ?? null },
    // The deadline's signal comes first; this is no second one.
    { timeoutMs: deadline.remainingMs() + 1_000, signal: deadline.signal, keptBytes: readBytes },
  )
  const status = response?.status ?? null
  // Of a failure the status says everything, so its text may break off.
  if (response && status !== null && (error === null || status >= 300)) {
    const asked = parseRetryAfter(response.headers['retry-after'], Date.now())
    return {
      kind: 'answered',
      status,
      text: response.body,
      retryAfterMs: status === 429 || status === 503 ? asked : null,
    }
  }
  if (deadline.isOver())
    return failed('UPSTREAM_TIMEOUT', `Upstream ${name} did not answer in time.`, { status, maybeSent: sent })
  onTrouble(error ?? 'no answer')
  if (response)
    return failed('UPSTREAM_UNREADABLE', `The answer of upstream ${name} broke off or is too large.`, {
      status,
      maybeSent: true,
    })
  const what = sent ? 'gave no answer' : 'cannot be reached'
  return failed('UPSTREAM_UNREACHABLE', `Upstream ${name} ${what}.`, { maybeSent: sent })
}

/** False when it was broken off. */
function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  return wait(ms, true, { signal }).catch(() => false)
}
