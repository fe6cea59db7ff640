import type { GateState } from '../delivery/gates.ts'
import type { JobPlace } from '../delivery/job-places.ts'
import type { Known } from '../delivery/known-destinations.ts'
import { parseRetryAfter } from '../delivery/retry-after.ts'
import type { Attempt, Job } from '../events/job.ts'

export const waitReasons = {
  DISPATCH: 'It was accepted a moment ago.',
  NO_WORKER: 'No worker runs.',
  QUEUE_PAUSED: 'Its queue is paused.',
  WORKER: 'For a worker that is free.',
  BACKLOG: 'Others of its tenant come before it.',
  CONCURRENCY: 'Its destination has as many attempts under way as it may have.',
  ORDER: 'For another job of its ordering key.',
  RATE: 'For its turn under the rate of its destination.',
  OUT_OF_SERVICE: 'Its destination is out of service.',
  DELIVERY_WINDOW: 'It is outside the hours of its destination.',
  BREAKER: 'Its destination failed too much.',
  BACKOFF: 'For the delay after an attempt.',
  RETRY_AFTER: 'For as long as its destination asked for.',
  DESTINATION_UNREADABLE: 'Its destination, or the secrets of it, cannot be read.',
} as const
export type WaitReason = keyof typeof waitReasons

/** Why a job is not delivered yet. Times are epoch milliseconds. */
export type JobWait = {
  reason: WaitReason
  /** When that ends, or is looked at again; null where nobody knows. */
  until: number | null
  /** Jobs that come before it, where it waits for them. */
  ahead: number | null
  /** Number of the job that it waits for. */
  first: number | null
  breaker: GateState['breaker']
}

export type Circumstances = {
  known: Known | undefined
  gate: GateState
  place: JobPlace
  isPaused: boolean
  /** The last one; undefined before the first. */
  attempt: Attempt | undefined
  now: number
}

/** Each worker is seen twice a second; one that is busy may be late. */
const missingAfterMs = 15_000

type Why = Partial<Pick<JobWait, 'until' | 'ahead' | 'first'>> & { reason: WaitReason }

/** Null for a job that is being delivered, or is over. */
export function jobWait(job: Job, around: Circumstances): JobWait | null {
  const why = whyWaiting(job, around)
  if (!why) return null
  return { until: null, ahead: null, first: null, ...why, breaker: around.gate.breaker }
}

function whyWaiting(job: Job, around: Circumstances): Why | null {
  const { place, now } = around
  const isManned = place.workerSeenAt !== null && place.workerSeenAt > now - missingAfterMs
  switch (job.status) {
    case 'RECEIVED':
      return { reason: isManned ? 'DISPATCH' : 'NO_WORKER' }
    case 'RETRYING':
      if (job.nextAttemptAt !== null && job.nextAttemptAt > now) return whyRetrying(job, around)
      return isManned ? whyQueued(around) : { reason: 'NO_WORKER' }
    case 'QUEUED':
    case 'HELD':
      return isManned ? whyQueued(around) : { reason: 'NO_WORKER' }
    default:
      return null
  }
}

function whyRetrying({ nextAttemptAt: until, attempts }: Job, { known, attempt }: Circumstances): Why {
  if (!known?.destination || attempts === 0) return { reason: 'DESTINATION_UNREADABLE', until }
  const header = attempt?.responseHeaders?.['retry-after']
  const endedAt = attempt ? attempt.startedAt + attempt.timing.totalMs : 0
  const askedMs = parseRetryAfter(header, endedAt) ?? 0
  // Whichever is longer counts, and the other would be over by now.
  const isAsked = askedMs > 0 && until !== null && until - endedAt < askedMs + 5_000
  return { reason: isAsked ? 'RETRY_AFTER' : 'BACKOFF', until }
}

function whyQueued({ known, gate, place, isPaused, now }: Circumstances): Why {
  const { shut, breaker } = gate
  const ahead = place.waitsFor === 'flow' ? place.ahead : null
  if (isPaused) return { reason: 'QUEUE_PAUSED', ahead }
  if (place.waitsFor === 'order') return { reason: 'ORDER', ahead: place.ahead, first: place.first }
  // Workers have the gate told within a second.
  if (known && !known.settings.active) return { reason: 'OUT_OF_SERVICE', ahead }
  if (shut) return { reason: shut.why, until: shut.until || null, ahead }
  if (breaker.state === 'HALF_OPEN') return { reason: 'BREAKER', ahead }
  const turnAt = place.turnAt ?? (ahead === null ? null : turnInBacklog(ahead, gate.nextTurnAt, known))
  if (turnAt !== null && turnAt > now) return { reason: 'RATE', until: turnAt, ahead }
  if (ahead === null) return { reason: 'WORKER' }
  if (breaker.state === 'CLOSING') return { reason: 'BREAKER', ahead }
  return { reason: place.underWay >= place.concurrency ? 'CONCURRENCY' : 'BACKLOG', ahead }
}

/** The soonest: other tenants of the destination, and jobs that are tried again, take turns as well. */
function turnInBacklog(ahead: number, nextTurnAt: number | null, known: Known | undefined): number | null {
  const perSecond = known?.settings.ratePerSecond
  if (nextTurnAt === null || !perSecond) return nextTurnAt
  return nextTurnAt + Math.round((ahead * 1_000) / perSecond)
}
