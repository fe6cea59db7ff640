import { GanchoError } from '../errors.ts'
import type { Requester } from '../tenants/principal.ts'

export const jobStatuses = [
  'RECEIVED',
  'QUEUED',
  'HELD',
  'DELIVERING',
  'RETRYING',
  'DELIVERED',
  'FAILED',
  'DISCARDED',
] as const
export type JobStatus = (typeof jobStatuses)[number]

/** Of jobs that are over: nothing follows unless somebody asks. A FAILED one rests in its error queue. */
export const overStatuses = ['DELIVERED', 'DISCARDED'] as const satisfies readonly JobStatus[]
export const isOver = ({ status }: { status: JobStatus }) =>
  (overStatuses as readonly JobStatus[]).includes(status)

/** What is known of a job that failed for good. Times are epoch milliseconds. */
export type Failure = {
  /** `EXHAUSTED`, `FINAL_STATUS`, `DEADLINE`, `ORDER_BLOCKED`, `DESTINATION_NOT_ALLOWED`, `DESTINATION_GONE`, `WORKER_LOST`, or `REPORTED` by downstream. */
  reason: string
  error: string
  statusCode: number | null
  responseExcerpt: string | null
  attempts: number
  firstAttemptAt: number | null
  lastAttemptAt: number | null
  failedAt: number
}

export type AttemptOutcome = 'DELIVERED' | 'RETRY' | 'FAILED' | 'LOST'

/** Milliseconds; null where the phase did not happen (a reused socket has no connect phase) or was not reached. */
export type AttemptTiming = {
  dnsMs: number | null
  connectMs: number | null
  tlsMs: number | null
  firstByteMs: number | null
  totalMs: number
  socketReused: boolean | null
}

/** One HTTP request to a destination. */
export type Attempt = {
  /** From 1, over all rounds. */
  number: number
  round: number
  startedAt: number
  outcome: AttemptOutcome
  statusCode: number | null
  error: string | null
  requestHeaders: Record<string, string>
  responseHeaders: Record<string, string | string[]> | null
  /** First 16 KiB, decoded as UTF-8. */
  responseBody: string | null
  timing: AttemptTiming
}

/** Why a round was begun: somebody asked for this job, for many at once, or downstream reported that it could do nothing with it. */
export type RoundTrigger = 'MANUAL' | 'BULK' | 'REPORTED'

/** Who had a job queued again, and why, in words. */
export type RoundAudit = {
  trigger: RoundTrigger
  by: Requester
  reason: string | null
  /** Id of the bulk that the job was part of. */
  bulk?: string
}

/** A round after the first: the job was queued again. */
export type JobRound = {
  /** From 1. */
  number: number
  /** Epoch milliseconds. */
  startedAt: number
  /** How the round before it ended. */
  previous: 'FAILED' | 'DELIVERED'
  /** Null when nobody said. */
  audit: RoundAudit | null
}

/** A job as its record in Redis, or its row in the history, tells it. Times are epoch milliseconds. */
export type Job = {
  n: number
  eventId: string
  cnpj: string
  destination: string
  queue: string
  eventType: string | null
  correlationId: string | null
  contentType: string | null
  /** The sender's headers, without credentials. */
  headers: Record<string, string>
  status: JobStatus
  round: number
  /** Attempts made, over all rounds. */
  attempts: number
  receivedAt: number
  updatedAt: number
  nextAttemptAt: number | null
  deliveredAt: number | null
  requeuedAt: number | null
  failure: Failure | null
  /** Why downstream reported the job, when that is what queued it again. */
  reported: string | null
  /** Id of the journal entry of its last change, `<ms>-<seq>`. */
  journalId: string
}

/** What stays as it is while an attempt is made. */
export type JobInHand = Omit<
  Job,
  'status' | 'attempts' | 'updatedAt' | 'nextAttemptAt' | 'deliveredAt' | 'failure' | 'reported' | 'journalId'
>

export const jobId = (n: number) => `ID-${n}`

/** @throws GanchoError JOB_NOT_FOUND unless `id` has the form `ID-<n>`. */
export function parseJobId(id: string): number {
  const match = /^ID-([1-9]\d{0,14})$/.exec(id)
  if (!match) throw new GanchoError('JOB_NOT_FOUND', `There is no job ${id.slice(0, 40)}.`)
  return Number(match[1])
}

/** Id of a job's entry in BullMQ: it names the round, so an old round's entry never stands for a new one. */
export const bullJobId = (n: number, round: number) => `ID-${n}.r${round}`
