import type { Attempt, AttemptOutcome, Job, JobRound, JobStatus, RoundAudit } from '../events/job.ts'
import type { JobPart } from '../history/history-store.ts'
import { plainJournalId, sortableJournalId } from './journal-order.ts'
import type { Binds, Row, SqlValue } from './sql.ts'

/** Columns of `jobs` that never change after the first write. */
const fixedJobColumns = [
  'n',
  'event_id',
  'cnpj',
  'destination',
  'queue',
  'event_type',
  'correlation_id',
  'content_type',
  'headers',
  'received_at',
] as const

/** Columns of `jobs` that a newer snapshot replaces. */
export const changingJobColumns = [
  'status',
  'round',
  'attempts',
  'updated_at',
  'next_attempt_at',
  'delivered_at',
  'requeued_at',
  'failure',
  'reported',
  'journal',
] as const

export const jobColumns = [...fixedJobColumns, ...changingJobColumns] as const

/** The columns of a list: what is large and not asked for is read as empty. */
export const listColumns = (parts: readonly JobPart[]) =>
  jobColumns
    .map((column) => {
      if (column === 'headers' && !parts.includes('headers')) return "'{}' AS headers"
      if (column === 'failure' && !parts.includes('failure')) return 'NULL AS failure'
      return column
    })
    .join(', ')

export const attemptColumns = [
  'n',
  'attempt_number',
  'round',
  'started_at',
  'outcome',
  'status_code',
  'error',
  'request_headers',
  'response_headers',
  'response_body',
  'timing',
] as const

export const roundColumns = ['n', 'round', 'started_at', 'previous', 'requested'] as const

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value))
const parsed = <T>(value: SqlValue | undefined): T => (value === null ? null : JSON.parse(String(value))) as T
const text = (value: SqlValue | undefined) => String(value)
const textOrNull = (value: SqlValue | undefined) => (value === null ? null : String(value))
const number = (value: SqlValue | undefined) => Number(value)
const numberOrNull = (value: SqlValue | undefined) => (value === null ? null : Number(value))

/** Binds for `jobColumns`. */
export function jobBinds(job: Job): Binds {
  return {
    n: job.n,
    event_id: job.eventId,
    cnpj: job.cnpj,
    destination: job.destination,
    queue: job.queue,
    event_type: job.eventType,
    correlation_id: job.correlationId,
    content_type: job.contentType,
    headers: JSON.stringify(job.headers),
    received_at: job.receivedAt,
    status: job.status,
    round: job.round,
    attempts: job.attempts,
    updated_at: job.updatedAt,
    next_attempt_at: job.nextAttemptAt,
    delivered_at: job.deliveredAt,
    requeued_at: job.requeuedAt,
    failure: json(job.failure),
    reported: job.reported,
    journal: sortableJournalId(job.journalId),
  }
}

/** The job that `jobBinds` was given. */
export function jobOfRow(row: Row): Job {
  return {
    n: number(row.n),
    eventId: text(row.event_id),
    cnpj: text(row.cnpj),
    destination: text(row.destination),
    queue: text(row.queue),
    eventType: textOrNull(row.event_type),
    correlationId: textOrNull(row.correlation_id),
    contentType: textOrNull(row.content_type),
    headers: parsed(row.headers),
    status: text(row.status) as JobStatus,
    round: number(row.round),
    attempts: number(row.attempts),
    receivedAt: number(row.received_at),
    updatedAt: number(row.updated_at),
    nextAttemptAt: numberOrNull(row.next_attempt_at),
    deliveredAt: numberOrNull(row.delivered_at),
    requeuedAt: numberOrNull(row.requeued_at),
    failure: parsed(row.failure),
    reported: textOrNull(row.reported),
    journalId: plainJournalId(text(row.journal)),
  }
}

/** Binds for `attemptColumns`. */
export function attemptBinds(n: number, attempt: Attempt): Binds {
  return {
    n,
    attempt_number: attempt.number,
    round: attempt.round,
    started_at: attempt.startedAt,
    outcome: attempt.outcome,
    status_code: attempt.statusCode,
    error: attempt.error,
    request_headers: JSON.stringify(attempt.requestHeaders),
    response_headers: json(attempt.responseHeaders),
    response_body: attempt.responseBody,
    timing: JSON.stringify(attempt.timing),
  }
}

/** The attempt that `attemptBinds` was given. */
export function attemptOfRow(row: Row): Attempt {
  return {
    number: number(row.attempt_number),
    round: number(row.round),
    startedAt: number(row.started_at),
    outcome: text(row.outcome) as AttemptOutcome,
    statusCode: numberOrNull(row.status_code),
    error: textOrNull(row.error),
    requestHeaders: parsed(row.request_headers),
    responseHeaders: parsed(row.response_headers),
    responseBody: textOrNull(row.response_body),
    timing: parsed(row.timing),
  }
}

/** Binds for `roundColumns`. */
export function roundBinds(n: number, { number, startedAt, previous, audit }: JobRound): Binds {
  return { n, round: number, started_at: startedAt, previous, requested: JSON.stringify(audit) }
}

/** The round that `roundBinds` was given. */
export function roundOfRow(row: Row): JobRound {
  return {
    number: number(row.round),
    startedAt: number(row.started_at),
    previous: text(row.previous) as JobRound['previous'],
    audit: parsed<RoundAudit | null>(row.requested),
  }
}
