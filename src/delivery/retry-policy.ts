import type { Outcome } from './attempt.ts'

export type RetryPolicy = {
  /** Upper bounds of the delays after attempts 1, 2, …; one attempt more than there are bounds is made, or more, see `forMs`. */
  scheduleMs: readonly number[]
  /** No round is given up as exhausted sooner than this after its first attempt: the last bound is drawn from again. */
  forMs: number
  /** Statuses that end the round at once. */
  finalStatuses: ReadonlySet<number>
  /** Evenly from 0 up to, but not including, 1. */
  random: () => number
  /** The longest wait that a receiver may ask for. */
  maxRetryAfterMs: number
}

export type NextStep =
  | { do: 'done' }
  | { do: 'retry'; delayMs: number }
  | {
      do: 'give-up'
      why: 'FINAL_STATUS' | 'EXHAUSTED' | 'DEADLINE' | 'ORDER_BLOCKED' | 'DESTINATION_NOT_ALLOWED'
    }

type Options = {
  scheduleSeconds: readonly number[]
  /** 0 unless given. */
  forSeconds?: number
  /** 410 unless given: the receiver unsubscribes (Standard Webhooks 1.0.0, "Delivery success and failure"). */
  finalStatuses?: Iterable<number>
  /** A day unless given. */
  maxRetryAfterMs?: number
  random?: () => number
}

export function createRetryPolicy(options: Options): RetryPolicy {
  return {
    scheduleMs: options.scheduleSeconds.map((seconds) => seconds * 1000),
    forMs: (options.forSeconds ?? 0) * 1000,
    finalStatuses: new Set(options.finalStatuses ?? [410]),
    random: options.random ?? Math.random,
    maxRetryAfterMs: options.maxRetryAfterMs ?? 86_400_000,
  }
}

/**
 * Decides what follows attempt number `attemptInRound` (from 1), `elapsedMs` after the round's first one began. Any answer but 2xx is
 * a failure, redirects included. The delay is drawn evenly between 0 and its bound (full jitter), so that jobs which failed together
 * do not come back together; `Retry-After` wins when it asks for longer, up to the policy's cap. Within `leftMs` the next attempt has
 * to begin, or none does.
 */
export function nextStep(
  policy: RetryPolicy,
  attemptInRound: number,
  outcome: Outcome,
  elapsedMs: number,
  leftMs = Number.POSITIVE_INFINITY,
): NextStep {
  if (outcome.kind === 'refused') return { do: 'give-up', why: 'DESTINATION_NOT_ALLOWED' }
  const answered = outcome.kind === 'answered'
  if (answered && outcome.status >= 200 && outcome.status < 300) return { do: 'done' }
  if (answered && policy.finalStatuses.has(outcome.status)) return { do: 'give-up', why: 'FINAL_STATUS' }
  const boundMs = boundAfter(policy, attemptInRound, elapsedMs)
  if (boundMs === undefined) return { do: 'give-up', why: 'EXHAUSTED' }
  const drawnMs = Math.floor(policy.random() * (boundMs + 1))
  const askedMs = Math.min((answered && outcome.retryAfterMs) || 0, policy.maxRetryAfterMs)
  if (leftMs <= 0 || askedMs > leftMs) return { do: 'give-up', why: 'DEADLINE' }
  return { do: 'retry', delayMs: Math.min(Math.max(drawnMs, askedMs), leftMs) }
}

/** The same for a job that others wait for: it may hold them up for `leftMs` more, whatever its receiver asked for. */
export function withinBlock(step: NextStep, leftMs: number): NextStep {
  if (step.do !== 'retry') return step
  return leftMs > 0
    ? { do: 'retry', delayMs: Math.min(step.delayMs, leftMs) }
    : { do: 'give-up', why: 'ORDER_BLOCKED' }
}

function boundAfter({ scheduleMs, forMs }: RetryPolicy, attemptInRound: number, elapsedMs: number) {
  return scheduleMs[attemptInRound - 1] ?? (elapsedMs < forMs ? scheduleMs.at(-1) : undefined)
}
