import type { Attempt, Failure, Job, JobRound } from '../../events/job.ts'
import type {
  CountedStats,
  HistoryStore,
  JobSnapshot,
  JobsRead,
  ProjectorPosition,
  Wanted,
} from '../../history/history-store.ts'
import {
  attemptBinds,
  attemptColumns,
  changingJobColumns,
  jobBinds,
  jobColumns,
  roundBinds,
  roundColumns,
  roundOfRow,
} from '../job-row.ts'
import { jobSearch, type SearchLimits } from '../job-search.ts'
import { plainJournalId } from '../journal-order.ts'
import type { Query } from '../matching.ts'
import { positionSteps } from '../position-step.ts'
import { attemptsReading, inOrderOfAttempts, jobsReading } from '../read-jobs.ts'
import type { Row, Step } from '../sql.ts'
import type { InsertMissing } from '../stats-steps.ts'
import type { SqliteDatabase } from './database.ts'
import { matching } from './job-query.ts'
import { addBodyWords } from './search-schema.ts'

/** A look takes some 20 ms at most. */
const usualLimits: SearchLimits = { candidates: { first: 1_000, most: 16_000 }, searchMs: 200 }

const values = (columns: readonly string[]) => columns.map((column) => `:${column}`).join(', ')

const upsertJob = `INSERT INTO jobs (${jobColumns.join(', ')}) VALUES (${values(jobColumns)})
  ON CONFLICT (n) DO UPDATE SET ${changingJobColumns.map((column) => `${column} = excluded.${column}`).join(', ')}
  WHERE excluded.journal > jobs.journal`
const insertMissing: InsertMissing = (table, _key, columns) =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values(columns)}) ON CONFLICT DO NOTHING`
const insertBody = insertMissing('job_bodies', ['n'], ['n', 'body'])
const insertAttempt = insertMissing('attempts', ['n', 'attempt_number'], attemptColumns)
const insertRound = insertMissing('job_rounds', ['n', 'round'], roundColumns)
const raiseHighest = 'UPDATE history_meta SET highest = :highest WHERE highest < :highest'
/** Left to itself, SQLite sorts all finished jobs instead of walking this index. */
export const removeFinished = `DELETE FROM jobs WHERE n IN (
  SELECT n FROM jobs INDEXED BY jobs_finished WHERE status IN ('DELIVERED', 'FAILED', 'DISCARDED') AND updated_at < :before
  ORDER BY updated_at LIMIT :limit)`

const failUnfinished = `UPDATE jobs SET status = 'FAILED', failure = :failure, updated_at = :at, next_attempt_at = NULL
  WHERE n IN (SELECT n FROM jobs WHERE status IN ('RECEIVED', 'QUEUED', 'HELD', 'DELIVERING', 'RETRYING') LIMIT :limit)`

/** One statement for a page. */
export const jobsWithNumbers = (select: string, { sql, binds }: Query): Query => ({
  sql: `${select} WHERE n IN (SELECT n FROM (${sql}))`,
  binds,
})
const amongFound = 'IN (SELECT value FROM json_each(:found))'

/** History in SQLite. The caller opens and closes the database. */
export class SqliteHistoryStore implements HistoryStore {
  readonly #database: SqliteDatabase
  readonly search: HistoryStore['search']
  readonly list: HistoryStore['list']
  readonly count: HistoryStore['count']
  readonly tally: HistoryStore['tally']

  constructor(database: SqliteDatabase, limits = usualLimits) {
    this.#database = database
    const read = (numbers: Query, wanted: Wanted) => this.#read(numbers, wanted)
    const { search, list, count, tally } = jobSearch({ database, matching, read, ...limits })
    this.search = search
    this.list = list
    this.count = count
    this.tally = tally
  }

  async id(): Promise<string> {
    return String((await this.#meta()).id)
  }

  async highestNumber(): Promise<number> {
    return Number((await this.#meta()).highest)
  }

  async position(): Promise<ProjectorPosition | null> {
    const { epoch, journal } = await this.#meta()
    return typeof epoch === 'string' ? { epoch, journalId: plainJournalId(String(journal)) } : null
  }

  async record(
    snapshots: readonly JobSnapshot[],
    position: ProjectorPosition,
    counted?: CountedStats,
  ): Promise<boolean> {
    const bodies = snapshots.flatMap(({ job, body }) =>
      body ? [{ ...wordKeys(job), n: job.n, body: compact(body) }] : [],
    )
    const highest = snapshots.reduce((top, { job }) => Math.max(top, job.n), 0)
    const steps: Step[] = [
      ...positionSteps(position, counted, insertMissing),
      { sql: upsertJob, rows: snapshots.map(({ job }) => jobBinds(job)) },
      { sql: insertBody, rows: bodies },
      {
        sql: insertAttempt,
        rows: snapshots.flatMap(({ job, attempts }) =>
          attempts.map((attempt) => attemptBinds(job.n, attempt)),
        ),
      },
      {
        sql: insertRound,
        rows: snapshots.flatMap(({ job, rounds }) => rounds.map((round) => roundBinds(job.n, round))),
      },
      { sql: raiseHighest, rows: [{ highest }] },
      { sql: addBodyWords, rows: bodies },
    ]
    const [moved = 0] = await this.#database.transaction(steps)
    return moved > 0
  }

  failUnfinished(failure: Failure, limit: number): Promise<number> {
    return this.#database.run(failUnfinished, {
      failure: JSON.stringify(failure),
      at: failure.failedAt,
      limit,
    })
  }

  async jobs(ns: readonly number[]): Promise<Job[]> {
    const numbers = { sql: 'SELECT value AS n FROM json_each(:ns)', binds: { ns: JSON.stringify(ns) } }
    return (await this.#read(numbers, {})).jobs
  }

  async body(n: number): Promise<Buffer | null> {
    return (await this.bodies([n])).get(n) ?? null
  }

  async bodies(ns: readonly number[]): Promise<Map<number, Buffer>> {
    const sql = 'SELECT n, body FROM job_bodies WHERE n IN (SELECT value FROM json_each(:ns))'
    const rows = await this.#database.all(sql, { ns: JSON.stringify(ns) })
    return new Map(rows.map((row) => [Number(row.n), bufferOf(row.body as Uint8Array)]))
  }

  async attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>> {
    const { select, byJob } = attemptsReading()
    const sql = `${select} WHERE n IN (SELECT value FROM json_each(:ns))${inOrderOfAttempts}`
    return byJob(await this.#database.all(sql, { ns: JSON.stringify(ns) }))
  }

  async rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>> {
    const sql = `SELECT ${roundColumns.join(', ')} FROM job_rounds
      WHERE n IN (SELECT value FROM json_each(:ns)) ORDER BY n, round`
    const rows = await this.#database.all(sql, { ns: JSON.stringify(ns) })
    const byJob = Map.groupBy(rows, (row) => Number(row.n))
    return new Map([...byJob].map(([n, group]) => [n, group.map(roundOfRow)]))
  }

  removeFinished(before: number, limit: number): Promise<number> {
    return this.#database.run(removeFinished, { before, limit })
  }

  async #read(numbers: Query, wanted: Wanted): Promise<JobsRead> {
    const { jobs: select, attempts, tenants, read } = jobsReading(wanted)
    const [jobs = [], ...others] = await this.#database.allOf(jobsWithNumbers(select, numbers), [
      ...(attempts ? [{ sql: `${attempts} WHERE n ${amongFound}${inOrderOfAttempts}`, column: 'n' }] : []),
      ...(tenants ? [{ sql: `${tenants} WHERE cnpj ${amongFound}`, column: 'cnpj' }] : []),
    ])
    const ofAttempts = (attempts ? others.shift() : undefined) ?? []
    return read(jobs, ofAttempts, others.shift() ?? [])
  }

  async #meta(): Promise<Row> {
    const [row] = await this.#database.all('SELECT id, highest, epoch, journal FROM history_meta')
    if (!row) throw new Error('history_meta has lost its row.')
    return row
  }
}

const wordKeys = ({ cnpj, queue, destination, eventType }: Job) => ({
  ...{ cnpj, queue, destination },
  event_type: eventType,
})

/** Bodies are small slices of a socket's buffers, and a slice crosses to a thread together with the whole of what it was cut from. */
function compact(body: Buffer): Uint8Array {
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength)
