import type { Attempt, Failure, Job, JobRound } from '../../events/job.ts'
import type {
  CountedStats,
  HistoryStore,
  JobSnapshot,
  JobsRead,
  ProjectorPosition,
  Wanted,
} from '../../history/history-store.ts'
import { inList } from '../in-list.ts'
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
import { type Binds, ConstraintError, type Row, type SqlDatabase, type Step } from '../sql.ts'
import { matching } from './job-query.ts'
import { errorWords, searchedWords } from './searched-words.ts'

/** Texts are read whole to be searched, so a look takes few of them. */
const usualLimits: SearchLimits = { candidates: { first: 200, most: 2_000 }, searchMs: 500 }

/** What of a job is searched is kept beside it; here alone, because SQLite has an index for it. */
const changingColumns = [...changingJobColumns, 'error_words'] as const

/** Adds the row unless there is one with its key. */
function insertMissing(table: string, key: readonly string[], columns: readonly string[]): string {
  const same = key.map((column) => `${table}.${column} = :${column}`).join(' AND ')
  const values = columns.map((column) => `:${column}`).join(', ')
  return `MERGE INTO ${table} USING dual ON (${same})
    WHEN NOT MATCHED THEN INSERT (${columns.join(', ')}) VALUES (${values})`
}

const insertJob = insertMissing('jobs', ['n'], [...jobColumns, 'error_words'])
const updateJob = `UPDATE jobs SET ${changingColumns.map((column) => `${column} = :${column}`).join(', ')}
  WHERE n = :n AND journal < :journal`
const insertBody = insertMissing('job_bodies', ['n'], ['n', 'body', 'words'])
const insertAttempt = insertMissing('attempts', ['n', 'attempt_number'], attemptColumns)
const insertRound = insertMissing('job_rounds', ['n', 'round'], roundColumns)
const raiseHighest = 'UPDATE history_meta SET highest = :highest WHERE highest < :highest'
const oldestFinished = ['DELIVERED', 'FAILED', 'DISCARDED']
  .map(
    (status) => `SELECT n, updated_at FROM (SELECT n, updated_at FROM jobs
      WHERE status = '${status}' AND updated_at < :before ORDER BY updated_at FETCH FIRST :limit ROWS ONLY)`,
  )
  .join(' UNION ALL ')
const removeFinished = `DELETE FROM jobs WHERE n IN (SELECT n FROM (
  SELECT n FROM (${oldestFinished}) ORDER BY updated_at FETCH FIRST :limit ROWS ONLY))`

const failUnfinished = `UPDATE jobs SET status = 'FAILED', failure = :failure, error_words = :words, updated_at = :at, next_attempt_at = NULL
  WHERE n IN (SELECT n FROM (SELECT n FROM jobs
    WHERE status IN ('RECEIVED', 'QUEUED', 'HELD', 'DELIVERING', 'RETRYING') FETCH FIRST :limit ROWS ONLY))`

/** History in OracleDB. The caller opens and closes the database. */
export class OracleHistoryStore implements HistoryStore {
  readonly #database: SqlDatabase
  readonly search: HistoryStore['search']
  readonly list: HistoryStore['list']
  readonly count: HistoryStore['count']
  readonly tally: HistoryStore['tally']

  constructor(database: SqlDatabase, limits = usualLimits) {
    this.#database = database
    const read = async ({ sql, binds }: Query, wanted: Wanted) => {
      const ns = (await database.all(sql, binds)).map(({ n }) => Number(n))
      return this.#read(ns, wanted)
    }
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
    const steps = [...positionSteps(position, counted, insertMissing), ...snapshotSteps(snapshots)]
    const [moved = 0] = await this.#database.transaction(steps).catch((error) => {
      // A late writer that adds the same row at the same moment shows as a broken key; by now its row is there to be found.
      if (!(error instanceof ConstraintError)) throw error
      return this.#database.transaction(steps)
    })
    return moved > 0
  }

  failUnfinished(failure: Failure, limit: number): Promise<number> {
    return this.#database.run(failUnfinished, {
      failure: JSON.stringify(failure),
      words: errorWords({ failure, reported: null }),
      at: failure.failedAt,
      limit,
    })
  }

  async jobs(ns: readonly number[]): Promise<Job[]> {
    return (await this.#read(ns, {})).jobs
  }

  async body(n: number): Promise<Buffer | null> {
    return (await this.bodies([n])).get(n) ?? null
  }

  async bodies(ns: readonly number[]): Promise<Map<number, Buffer>> {
    const rows = await this.#of(ns, 'SELECT n, body FROM job_bodies')
    return new Map(rows.map((row) => [Number(row.n), bodyOf(row)]))
  }

  async attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>> {
    const { select, byJob } = attemptsReading()
    return byJob(await this.#of(ns, select, inOrderOfAttempts))
  }

  async rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>> {
    const rows = await this.#of(ns, `SELECT ${roundColumns.join(', ')} FROM job_rounds`, ' ORDER BY n, round')
    const byJob = Map.groupBy(rows, (row) => Number(row.n))
    return new Map([...byJob].map(([n, group]) => [n, group.map(roundOfRow)]))
  }

  removeFinished(before: number, limit: number): Promise<number> {
    return this.#database.run(removeFinished, { before, limit })
  }

  async #read(ns: readonly number[], wanted: Wanted): Promise<JobsRead> {
    const { jobs, attempts, tenants, read } = jobsReading(wanted)
    const [found, tried, owners] = await Promise.all([
      this.#of(ns, jobs),
      attempts ? this.#of(ns, attempts, inOrderOfAttempts) : [],
      tenants ? this.#of(ns, `${tenants} WHERE cnpj IN (SELECT cnpj FROM jobs`, ')') : [],
    ])
    return read(found, tried, owners)
  }

  async #of(ns: readonly number[], select: string, order = ''): Promise<Row[]> {
    if (ns.length === 0) return []
    const { sql, binds } = inList('n', 'n', ns)
    return this.#database.all(`${select} WHERE ${sql}${order}`, binds)
  }

  async #meta(): Promise<Row> {
    const [row] = await this.#database.all('SELECT id, highest, epoch, journal FROM history_meta')
    if (!row) throw new Error('history_meta has lost its row.')
    return row
  }
}

function snapshotSteps(snapshots: readonly JobSnapshot[]): Step[] {
  const jobs = snapshots.map(({ job }) => ({ ...jobBinds(job), error_words: errorWords(job) }))
  const highest = snapshots.reduce((top, { job }) => Math.max(top, job.n), 0)
  return [
    { sql: insertJob, rows: jobs },
    { sql: updateJob, rows: jobs.map(changingBinds) },
    {
      sql: insertBody,
      rows: snapshots.flatMap(({ job, body }) =>
        body ? [{ n: job.n, body, words: searchedWords(body) }] : [],
      ),
    },
    {
      sql: insertAttempt,
      rows: snapshots.flatMap(({ job, attempts }) => attempts.map((attempt) => attemptBinds(job.n, attempt))),
    },
    {
      sql: insertRound,
      rows: snapshots.flatMap(({ job, rounds }) => rounds.map((round) => roundBinds(job.n, round))),
    },
    { sql: raiseHighest, rows: [{ highest }] },
  ]
}

const changingBinds = (job: Binds): Binds =>
  Object.fromEntries(['n', ...changingColumns].map((name) => [name, job[name] ?? null]))

/** An empty body is NULL to Oracle; that there is a row tells it from none. */
function bodyOf({ body }: Row): Buffer {
  if (!(body instanceof Uint8Array)) return Buffer.alloc(0)
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
