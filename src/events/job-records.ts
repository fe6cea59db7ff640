import type { ChainableCommander, Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import type { Attempt, Job } from './job.ts'
import { jobFromFields } from './job-record.ts'

/** Reads job records and their attempts from Redis. Records that are gone are left out. */
export type JobRecords = {
  jobs(ns: readonly number[]): Promise<Job[]>
  body(n: number): Promise<Buffer | null>
  bodies(ns: readonly number[]): Promise<Map<number, Buffer>>
  attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>>
  /** Everything of each job, in one round trip. */
  snapshots(ns: readonly number[]): Promise<{ job: Job; body: Buffer; attempts: Attempt[] }[]>
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
    async snapshots(ns) {
      const reads = ns.flatMap((n) => [
        ['hgetallBuffer', keys.job(n)],
        ['lrange', keys.attempts(n), 0, -1],
      ])
      const rows = await answers(redis.pipeline(reads))
      return ns.flatMap((n, i) => {
        const fields = rows[2 * i] as Record<string, Buffer>
        if (!fields.status) return []
        const attempts = parseAttempts(rows[2 * i + 1] as string[])
        return [{ job: jobFromFields(n, fields), body: fields.body ?? Buffer.alloc(0), attempts }]
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
