import type { ChainableCommander, Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import type { Attempt, Job, JobRound } from './job.ts'
import { jobFromFields, roundsOfField } from './job-record.ts'

export type RecordSnapshot = { job: Job; body: Buffer | null; attempts: Attempt[]; rounds: JobRound[] }

/** Reads job records and their attempts from Redis. Records that are gone are left out. */
export type JobRecords = {
  jobs(ns: readonly number[]): Promise<Job[]>
  body(n: number): Promise<Buffer | null>
  bodies(ns: readonly number[]): Promise<Map<number, Buffer>>
  attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>>
  /** Rounds after the first that the records know of, in order. */
  rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>>
  /** Lengths of the bodies; 0 for records that are gone. */
  bodyBytes(ns: readonly number[]): Promise<Map<number, number>>
  /** Each job with its attempts and rounds, and the bodies of those in `withBody`, in one round trip. */
  snapshots(ns: readonly number[], withBody: ReadonlySet<number>): Promise<RecordSnapshot[]>
}

const withoutBody = [
  ...[
    'event',
    'cnpj',
    'destination',
    'queue',
    'type',
    'correlation',
    'contentType',
    'headers',
    'status',
    'round',
  ],
  ...[
    'attempts',
    'receivedAt',
    'updatedAt',
    'nextAttemptAt',
    'deliveredAt',
    'requeuedAt',
    'reported',
    'failure',
  ],
  'journalId',
]

export function createJobRecords(redis: Redis): JobRecords {
  return {
    async jobs(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['hmgetBuffer', keys.job(n), ...withoutBody])))
      return ns.flatMap((n, i) => {
        const fields = named(rows[i] as (Buffer | null)[])
        return fields.status ? [jobFromFields(n, fields)] : []
      })
    },
    body: (n) => redis.hgetBuffer(keys.job(n), 'body'),
    async bodies(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['hgetBuffer', keys.job(n), 'body'])))
      return new Map(ns.flatMap((n, i) => (rows[i] ? [[n, rows[i] as Buffer] as const] : [])))
    },
    async attempts(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['lrange', keys.attempts(n), 0, -1])))
      return new Map(ns.map((n, i) => [n, parseAttempts(rows[i] as string[])]))
    },
    async rounds(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['hget', keys.job(n), 'rounds'])))
      return new Map(ns.map((n, i) => [n, roundsOfField(rows[i] as string | null)]))
    },
    async bodyBytes(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['hstrlen', keys.job(n), 'body'])))
      return new Map(ns.map((n, i) => [n, Number(rows[i])]))
    },
    async snapshots(ns, withBody) {
      const reads = ns.flatMap((n) => [
        ['hmgetBuffer', keys.job(n), ...withoutBody],
        ['lrange', keys.attempts(n), 0, -1],
        ['hget', keys.job(n), 'rounds'],
        ...(withBody.has(n) ? [['hgetBuffer', keys.job(n), 'body']] : []),
      ])
      const rows = (await answers(redis.pipeline(reads))).values()
      return ns.flatMap((n) => {
        const fields = named(rows.next().value as (Buffer | null)[])
        const attempts = parseAttempts(rows.next().value as string[])
        const rounds = roundsOfField(rows.next().value as string | null)
        const body = withBody.has(n) ? (rows.next().value as Buffer) : null
        return fields.status ? [{ job: jobFromFields(n, fields), body, attempts, rounds }] : []
      })
    },
  }
}

async function answers(pipeline: ChainableCommander): Promise<unknown[]> {
  const results = (await pipeline.exec()) ?? []
  return results.map(([error, value]) => {
    if (error) throw error
    return value
  })
}

function named(values: readonly (Buffer | null)[]): Record<string, Buffer> {
  const fields: Record<string, Buffer> = {}
  withoutBody.forEach((name, i) => {
    const value = values[i]
    if (value) fields[name] = value
  })
  return fields
}

const parseAttempts = (rows: readonly string[]) => rows.map((row) => JSON.parse(row) as Attempt)
