import type { ScriptArgument } from '../redis/scripts.ts'
import {
  type Failure,
  isOver,
  type Job,
  type JobInHand,
  type JobRound,
  type JobStatus,
  type RoundAudit,
} from './job.ts'

type Field = Buffer | string

const textOf = (value: Field | undefined) =>
  value === undefined || value.length === 0 ? null : value.toString()
const number = (value: Field | undefined) => (value === undefined ? null : Number(value))

/** All that `jobFromFields` reads. */
export const jobFields = [
  ...['about', 'correlation', 'contentType', 'headers', 'status', 'round', 'attempts', 'updatedAt'],
  ...['nextAttemptAt', 'deliveredAt', 'requeuedAt', 'reported', 'failure', 'journalId'],
]

/** What stands in `about`, in its order: records of earlier versions have a field for each. */
export const earlierFields = ['event', 'cnpj', 'destination', 'queue', 'receivedAt', 'type']

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

type Fields = Readonly<Record<string, Field | undefined>>

/** What never changes of a job; of its values the type alone may have blanks in it. */
function readAbout({ about, ...fields }: Fields) {
  const values =
    about === undefined ? earlierFields.map((name) => fields[name] ?? '') : about.toString().split(' ')
  const [eventId = '', cnpj = '', destination = '', queue = '', receivedAt, ...type] = values.map(String)
  return {
    eventId,
    cnpj,
    destination,
    queue,
    receivedAt: Number(receivedAt),
    eventType: type.join(' ') || null,
  }
}

/** The body is the field `body`, byte for byte. A content type stands in a field only where the headers tell another one. */
export function jobInHand(n: number, round: number, fields: Fields): JobInHand {
  const headers = JSON.parse(textOf(fields.headers) ?? '{}') as Record<string, string>
  return {
    n,
    ...readAbout(fields),
    correlationId: textOf(fields.correlation),
    contentType: textOf(fields.contentType) ?? (headers['content-type'] || null),
    headers,
    round,
    requeuedAt: number(fields.requeuedAt),
  }
}

/** Reads a job from the fields of its record. A new one has no counts yet. */
export function jobFromFields(n: number, fields: Fields): Job {
  const failure = textOf(fields.failure)
  const inHand = jobInHand(n, Number(fields.round ?? 0), fields)
  return {
    ...inHand,
    status: String(fields.status) as JobStatus,
    attempts: Number(fields.attempts ?? 0),
    updatedAt: number(fields.updatedAt) ?? inHand.receivedAt,
    nextAttemptAt: number(fields.nextAttemptAt),
    deliveredAt: number(fields.deliveredAt),
    failure: failure === null ? null : (JSON.parse(failure) as Failure),
    reported: textOf(fields.reported),
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
    about: [job.eventId, job.cnpj, job.destination, job.queue, job.receivedAt, job.eventType ?? ''].join(' '),
    correlation: job.correlationId,
    contentType: job.contentType,
    headers: JSON.stringify(job.headers),
    body,
    status,
    round: job.round,
    attempts: job.attempts,
    roundStart: job.attempts,
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
