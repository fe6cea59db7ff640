import type { Attempt, AttemptOutcome, Job, JobRound, JobStatus, RoundAudit } from '../events/job.ts'
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

type Value = SqlValue | undefined
const parsed = <T>(value: Value): T => (value === null ? null : JSON.parse(String(value))) as T
const text = (value: Value) => String(value)
const textOrNull = (value: Value) => (value === null ? null : String(value))
const number = (value: Value) => Number(value)
const numberOrNull = (value: Value) => (value === null ? null : Number(value))

/** Where each part of a whole is written, and how it is read from there. */
type Places<Whole> = { readonly [Part in keyof Whole]-?: readonly [string, (value: Value) => Whole[Part]] }

/** Columns of these parts, and who reads them from rows. */
const partsOf =
  <Whole>(places: Places<Whole>) =>
  <Part extends keyof Whole>(parts: readonly Part[]) => {
    const steps = parts.map((part) => ({ part, column: places[part][0], of: places[part][1] }))
    const ofRow = (row: Row): Pick<Whole, Part> => {
      const read = {} as Pick<Whole, Part>
      for (const { part, column, of } of steps) read[part] = of(row[column])
      return read
    }
    return { columns: steps.map(({ column }) => column), ofRow }
  }

const jobPlaces: Places<Job> = {
  n: ['n', number],
  eventId: ['event_id', text],
  cnpj: ['cnpj', text],
  destination: ['destination', text],
  queue: ['queue', text],
  eventType: ['event_type', textOrNull],
  correlationId: ['correlation_id', textOrNull],
  contentType: ['content_type', textOrNull],
  headers: ['headers', parsed<Job['headers']>],
  status: ['status', (value) => text(value) as JobStatus],
  round: ['round', number],
  attempts: ['attempts', number],
  receivedAt: ['received_at', number],
  updatedAt: ['updated_at', number],
  nextAttemptAt: ['next_attempt_at', numberOrNull],
  deliveredAt: ['delivered_at', numberOrNull],
  requeuedAt: ['requeued_at', numberOrNull],
  failure: ['failure', parsed<Job['failure']>],
  reported: ['reported', textOrNull],
  journalId: ['journal', (value) => plainJournalId(text(value))],
}

const attemptPlaces: Places<Attempt> = {
  number: ['attempt_number', number],
  round: ['round', number],
  startedAt: ['started_at', number],
  outcome: ['outcome', (value) => text(value) as AttemptOutcome],
  statusCode: ['status_code', numberOrNull],
  error: ['error', textOrNull],
  requestHeaders: ['request_headers', parsed<Attempt['requestHeaders']>],
  responseHeaders: ['response_headers', parsed<Attempt['responseHeaders']>],
  responseBody: ['response_body', textOrNull],
  timing: ['timing', parsed<Attempt['timing']>],
}

export const allJobParts = Object.keys(jobPlaces) as (keyof Job)[]
export const allAttemptParts = Object.keys(attemptPlaces) as (keyof Attempt)[]

/** Of `jobs`. */
export const jobParts = partsOf(jobPlaces)
/** Of `attempts`. */
export const attemptParts = partsOf(attemptPlaces)

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
