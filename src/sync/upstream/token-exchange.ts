import { z } from 'zod'
import { startDeadline } from './deadline.ts'
import { failed } from './failure.ts'
import { type Answered, type PostDeps, post } from './post.ts'
import type { Grant } from './tokens.ts'
import type { UpstreamFailure } from './upstream.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** `expires_in` in seconds (RFC 6749, 5.1), as a text too, which some send; without it the token is good until it is refused. */
const answer = z.object({
  access_token: z.string().regex(/^[!-~]{1,8192}$/),
  expires_in: z.coerce.number().positive().max(1e9).nullish(),
})

type Settings = Pick<UpstreamSettings, 'origin' | 'apiKey' | 'timeoutMs'> & { tokenPath: string }

/** Exchanges the API key for an access token. Its deadline is its own, because many calls may wait for it. Never rejects. */
export async function exchangeKey(
  deps: PostDeps,
  { origin, apiKey, tokenPath, timeoutMs }: Settings,
): Promise<Grant | UpstreamFailure> {
  const deadline = startDeadline(timeoutMs)
  const headers = { 'content-type': 'application/json', accept: 'application/json', 'x-api-key': apiKey }
  try {
    const outcome = await post(deps, { origin, path: tokenPath, headers, body: '{}' }, deadline)
    // Whatever became of it, the request itself has not been sent.
    if (outcome.kind === 'failed') return { ...outcome, maybeSent: false }
    return granted(deps.name, outcome)
  } finally {
    deadline.stop()
  }
}

function granted(name: string, { status, text }: Answered): Grant | UpstreamFailure {
  const notSent = { status, maybeSent: false }
  if (status >= 400 && status < 500)
    return failed('UPSTREAM_REFUSED', `Upstream ${name} refused the API key with ${status}.`, notSent)
  if (status >= 300)
    return failed('UPSTREAM_ERROR', `Upstream ${name} answered ${status} when asked for a token.`, notSent)
  const parsed = answer.safeParse(parsedJson(text))
  if (!parsed.success)
    return failed('UPSTREAM_UNREADABLE', `Upstream ${name} gave no access token that can be read.`, notSent)
  const { access_token, expires_in } = parsed.data
  return { kind: 'granted', text: access_token, lifetimeMs: expires_in ? expires_in * 1_000 : null }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
