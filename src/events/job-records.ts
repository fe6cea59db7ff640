import type { ChainableCommander, Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import type { Attempt, Job, JobRound } from './job.ts'
import { earlierFields, jobFields, jobFromFields, namedFields, roundsOfField } from './job-record.ts'

export type RecordSnapshot = { job: Job; body: Buffer | null; attempts: Attempt[]; rounds: JobRound[] }

/** Reads job records and their attempts from Redis. Records that are gone are left out. */
export type JobRecords = {
  jobs(ns: readonly number[]): Promise<Job[]>
  body(n: number): Promise<Buffer | null>
  bodies(ns: readonly number[]): Promise<Map<number, Buffer>>
  attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>>
  /** Rounds after the first that the records know of, in order. */
  rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>>
  /**
   * Each job with its attempts and rounds, all of one moment, and the bodies of those in `withBody`. Stops after about `mostBytes` of
   * bodies and attempts: `rest` is what it has not looked at by then.
   */
  snapshots(ns: readonly number[], withBody: ReadonlySet<number>, mostBytes?: number): Promise<Snapshots>
}

type Snapshots = { snapshots: RecordSnapshot[]; rest: readonly number[] }

/** Read without a script, which would know records of earlier versions. */
const allFields = [...jobFields, ...earlierFields]
/** As `read-jobs` answers them. */
const fieldNames = [...jobFields, 'rounds']
/** Redis does nothing else meanwhile: a millisecond for so many, about, and two or three for so many bytes. */
const readTogether = 100
const bytesTogether = 1024 * 1024

export function createJobRecords(redis: Redis): JobRecords {
  const readJobs = loadScript(redis, 'read-jobs', { buffers: true })
  return {
    async jobs(ns) {
      const rows = await answers(redis.pipeline(ns.map((n) => ['hmgetBuffer', keys.job(n), ...allFields])))
      return ns.flatMap((n, i) => {
        const fields = namedFields(allFields, rows[i] as (Buffer | null)[])
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
    async snapshots(ns, withBody, mostBytes = Number.MAX_SAFE_INTEGER) {
      const snapshots: RecordSnapshot[] = []
      let rest = ns
      for (let room = mostBytes; rest.length > 0 && room > 0; ) {
        const part = rest.slice(0, readTogether)
        const pairs = part.flatMap((n) => [n, withBody.has(n) ? 1 : 0])
        const args = [keys.jobPrefix, Math.min(room, bytesTogether), ...pairs]
        const rows = (await readJobs([keys.journal], args)) as Buffer[][]
        for (const [i, row] of rows.entries()) {
          const n = part[i] as number
          for (const { length } of row.slice(1)) room -= length
          if (row.length > 0) snapshots.push(snapshotOf(n, row, withBody.has(n)))
        }
        rest = rest.slice(rows.length)
      }
      return { snapshots, rest }
    },
  }
}

function snapshotOf(n: number, [values, body, ...attempts]: Buffer[], withBody: boolean): RecordSnapshot {
  const fields = namedFields(fieldNames, JSON.parse(String(values)) as (string | false)[])
  return {
    job: jobFromFields(n, fields),
    body: withBody && body ? body : null,
    attempts: parseAttempts(attempts.map(String)),
    rounds: roundsOfField(fields.rounds),
  }
}

async function answers(pipeline: ChainableCommander): Promise<unknown[]> {
  const results = (await pipeline.exec()) ?? []
  return results.map(([error, value]) => {
    if (error) throw error
    return value
  })
}

const parseAttempts = (rows: readonly string[]) => rows.map((row) => JSON.parse(row) as Attempt)
