import type { UpstreamFailure } from './upstream.ts'

/** An access token as one exchange gave it: a later one is another, even with the same text. */
export type AccessToken = { readonly text: string }
/** `lifetimeMs` null: it is good until it is refused. */
export type Grant = { kind: 'granted'; text: string; lifetimeMs: number | null }

export type Tokens = {
  /**
   * A token to call with. Any number of calls that wait for one share a single exchange, and its failure.
   * @param refused the one that the upstream did not take: another is fetched, once for all who were refused it
   */
  current(refused?: AccessToken): Promise<AccessToken | UpstreamFailure>
}

type Deps = {
  exchange: () => Promise<Grant | UpstreamFailure>
  /** Told of a renewal that failed while the old token is still good. */
  onFailedRenewal: (failure: UpstreamFailure) => void
  /** How long a failed exchange stands for the next calls: long enough for a crowd, too short to be noticed. */
  failureMs: number
  /** Epoch milliseconds. */
  now: () => number
}
type Held = { token: AccessToken; renewAt: number; endsAt: number }

const renewBeforeMs = 60_000
/** What a token must still have left, so that it does not end on its way. */
const spareMs = 5_000

/** Keeps the access token of one upstream: renewed while the old one is still good, so that no call waits for it. */
export function createTokens({ exchange, onFailedRenewal, failureMs, now }: Deps): Tokens {
  let held: Held | undefined
  let running: Promise<AccessToken | UpstreamFailure> | undefined
  let failure: { value: UpstreamFailure; until: number } | undefined

  const fetchOne = async () => {
    // The lifetime may count from the moment at which the upstream made it, not from when it arrived.
    const askedAt = now()
    const grant = await exchange()
    running = undefined
    if (grant.kind === 'failed') {
      failure = { value: grant, until: now() + failureMs }
      return grant
    }
    failure = undefined
    held = hold(grant, askedAt)
    return held.token
  }
  const renewal = () => {
    running ??= fetchOne()
    return running
  }
  const renewAhead = async () => {
    const outcome = await renewal()
    if ('kind' in outcome) onFailedRenewal(outcome)
  }
  return {
    async current(refused) {
      if (refused !== undefined && held?.token === refused) held = undefined
      const recently = failure && now() < failure.until ? failure.value : undefined
      if (held === undefined || now() >= held.endsAt) return recently ?? renewal()
      if (now() >= held.renewAt && !recently && !running) void renewAhead()
      return held.token
    },
  }
}

function hold({ text, lifetimeMs }: Grant, askedAt: number): Held {
  const token = { text }
  if (lifetimeMs === null) return { token, renewAt: Infinity, endsAt: Infinity }
  const endsAt = askedAt + lifetimeMs
  return {
    token,
    renewAt: endsAt - Math.min(renewBeforeMs, lifetimeMs / 4),
    endsAt: endsAt - Math.min(spareMs, lifetimeMs / 10),
  }
}

/** An upstream that takes the API key itself: there is nothing to renew. */
export function fixedToken(text: string): Tokens {
  const token = { text }
  return { current: async () => token }
}
