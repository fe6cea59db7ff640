import type { Attempt, AttemptOutcome, Failure } from '../events/job.ts'
import type { Started } from '../events/transitions.ts'
import type { AttemptResult } from './attempt.ts'

/** An attempt that the record has let begin. */
export type Begun = Extract<Started, { kind: 'started' }>

const excerptLength = 1_024

/** The attempt as it is kept with the job. */
export function attemptRecord(begun: Begun, result: AttemptResult, outcome: AttemptOutcome): Attempt {
  const { requestHeaders, responseHeaders, responseBody, timing, startedAt, outcome: http } = result
  return {
    number: begun.attempt,
    round: begun.job.round,
    startedAt,
    outcome,
    statusCode: http.kind === 'answered' ? http.status : null,
    error: http.kind === 'answered' ? result.bodyError : http.error,
    requestHeaders,
    responseHeaders,
    responseBody,
    timing,
  }
}

/** Why the job rests in the error queue, told by its last attempt. */
export function failureOf(begun: Begun, last: Attempt, reason: string, failedAt: number): Failure {
  return {
    reason,
    error: last.statusCode === null ? (last.error ?? 'no answer') : `HTTP ${last.statusCode}`,
    statusCode: last.statusCode,
    responseExcerpt: last.responseBody?.slice(0, excerptLength) ?? null,
    attempts: begun.attemptInRound,
    firstAttemptAt: begun.firstAttemptAt,
    lastAttemptAt: last.startedAt,
    failedAt,
  }
}

/** The same for a job that was given up before this attempt was sent. */
export function failureWithoutAttempt(
  begun: Begun,
  reason: string,
  error: string,
  failedAt: number,
): Failure {
  return {
    reason,
    error,
    statusCode: null,
    responseExcerpt: null,
    attempts: begun.attemptInRound - 1,
    firstAttemptAt: begun.firstAttemptAt,
    lastAttemptAt: null,
    failedAt,
  }
}
