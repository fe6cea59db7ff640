import type { ScriptArgument } from '../redis/scripts.ts'
import { type Failure, isOver, type Job, type JobRound, type JobStatus, type RoundAudit } from './job.ts'

type Field = Buffer | string

const text = (value: Field | undefined) =>
  value === undefined || value.length === 0 ? null : value.toString()
const number = (value: Field | undefined) => (value === undefined ? null : Number(value))

/** All that `jobFromFields` reads. */
export const jobFields = [
  ...['event', 'cnpj', 'destination', 'queue', 'type', 'correlation', 'contentType', 'headers', 'status'],
  ...['round', 'attempts', 'receivedAt', 'updatedAt', 'nextAttemptAt', 'deliveredAt', 'requeuedAt'],
  ...['reported', 'failure', 'journalId'],
]

/** Fields of a record by their names, without those that it does not have. */
export function namedFields<Value extends Field>(
  names: readonly string[],
  values: readonly (Value | null | false)[],
): Record<string, Value> {
  const fields: Record<string, Value> = {}
  for (const [i, name] of names.entries()) {
    const value = values[i]
    if (value) fields[name] = value
  }
  return fields
}

/** Reads a job from the fields of its record. The body is the field `body`, byte for byte. */
export function jobFromFields(n: number, fields: Readonly<Record<string, Field | undefined>>): Job {
  const failure = text(fields.failure)
  return {
    n,
    eventId: String(fields.event),
    cnpj: String(fields.cnpj),
    destination: String(fields.destination),
    queue: String(fields.queue),
    eventType: text(fields.type),
    correlationId: text(fields.correlation),
    contentType: text(fields.contentType),
    headers: JSON.parse(text(fields.headers) ?? '{}') as Record<string, string>,
    status: String(fields.status) as JobStatus,
    round: Number(fields.round),
    attempts: Number(fields.attempts),
    receivedAt: Number(fields.receivedAt),
    updatedAt: Number(fields.updatedAt),
    nextAttemptAt: number(fields.nextAttemptAt),
    deliveredAt: number(fields.deliveredAt),
    requeuedAt: number(fields.requeuedAt),
    failure: failure === null ? null : (JSON.parse(failure) as Failure),
    reported: text(fields.reported),
    journalId: String(fields.journalId),
  }
}

/** Reads the rounds of a job from the field `rounds` of its record, where the transition script writes a line for each. */
export function roundsOfField(field: string | null | undefined): JobRound[] {
  return (field ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [round, startedAt, previous, ...audit] = line.split(' ')
      return {
        number: Number(round),
        startedAt: Number(startedAt),
        previous: previous as JobRound['previous'],
        audit: JSON.parse(audit.join(' ')) as RoundAudit | null,
      }
    })
}

/**
 * The record of a finished job as name, value, …, the way the accept and transition scripts write it. A job that history knows as
 * unfinished although Redis has lost it counts as failed.
 */
export function recordFields(job: Job, body: Buffer): ScriptArgument[] {
  const ended = isOver(job)
  const status = ended ? job.status : 'FAILED'
  const failure = ended ? job.failure : (job.failure ?? lostWithRedis(job.updatedAt))
  const fields: Record<string, ScriptArgument | null> = {
    event: job.eventId,
    cnpj: job.cnpj,
    destination: job.destination,
    queue: job.queue,
    type: job.eventType ?? '',
    correlation: job.correlationId ?? '',
    contentType: job.contentType ?? '',
    headers: JSON.stringify(job.headers),
    body,
    status,
    round: job.round,
    attempts: job.attempts,
    roundStart: job.attempts,
    receivedAt: job.receivedAt,
    updatedAt: job.updatedAt,
    deliveredAt: job.deliveredAt,
    requeuedAt: job.requeuedAt,
    reported: job.reported,
    failure: failure === null ? null : JSON.stringify(failure),
    journalId: job.journalId,
  }
  return Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [name, value]))
}

/** Why a job failed that only history still knows. */
export function lostWithRedis(failedAt: number): Failure {
  return {
    reason: 'DATA_SET_LOST',
    error: 'the Redis data set that held this job is gone; the job is known from history alone',
    statusCode: null,
    responseExcerpt: null,
    attempts: 0,
    firstAttemptAt: null,
    lastAttemptAt: null,
    failedAt,
  }
}
