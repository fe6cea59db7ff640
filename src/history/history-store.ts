import type { Attempt, Failure, Job, JobRound, JobStatus } from '../events/job.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type { JobStats } from './job-stats.ts'

/** A job as the projector found it: its record, the attempts and rounds known by then, and its body, null once that is written. */
export type JobSnapshot = { job: Job; body: Buffer | null; attempts: Attempt[]; rounds: JobRound[] }

/** All that is given must hold; an empty list matches nothing. */
export type JobsFilter = {
  ns?: readonly number[]
  cnpj?: string
  queue?: string
  destination?: string
  eventType?: string
  statuses?: readonly JobStatus[]
  /** Epoch milliseconds, itself included. */
  receivedFrom?: number
  /** Epoch milliseconds, itself not included. */
  receivedTo?: number
  /** Words, all of them in the body, or all in what is known of the failure. How far a store looks is its own affair. */
  text?: string
  /** Journal id: jobs that changed after it are left out. Rows may be newer than the position, because they tell how a job is by then. */
  changedUpTo?: string
}

/**
 * How far Redis' clock may be set back without a range of times missing jobs: numbers are given in the order of that clock, so a range
 * of times is a range of numbers, which every index has.
 */
export const clockSlackMs = 60_000

/** What is read of the jobs that a search finds. Nothing else of them is, so nothing else is to be asked of what it answers. */
export type Wanted = {
  /** Beside their numbers; all unless given. */
  job?: readonly (keyof Job)[] | undefined
  attempts?: readonly (keyof Attempt)[] | undefined
  /** Whether their tenants are. */
  tenants?: boolean | undefined
}

/** Jobs, and what was read with them: attempts by job and in order, tenants by CNPJ; those without any are left out. */
export type JobsRead = { jobs: Job[]; attempts: Map<number, Attempt[]>; tenants: Map<string, Tenant> }

/**
 * A page of the list ordered by number, newest first. `before` and `after` are numbers of jobs outside the page: `after: 10` asks
 * for numbers below 10. `fromEnd` takes the last `limit` of that range, still newest first.
 */
export type JobsPage = { limit: number; after?: number; before?: number; fromEnd?: boolean }

/**
 * What a search found in the time that it may take. `reached` is the number that it came to when that was over before the page was
 * full: the same page beyond it goes on. Null when there is no more, or as much as was asked for.
 */
export type JobsFound = JobsRead & { reached: number | null }

/** `isExact` is false when there may be more than were counted. */
export type Tally = { count: number; isExact: boolean }

/** Where the projector stands: the data set (epoch) and the journal id up to which history is written. */
export type ProjectorPosition = { epoch: string; journalId: string }

/** What happened from one position of the projector to the next, counted by whoever read it from there. */
export type CountedStats = { from: ProjectorPosition; stats: readonly JobStats[] }

/** Tables of finished and running jobs, written by the projector alone. Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export interface HistoryStore {
  /** Name of this database, made when its tables were. A Redis data set belongs to one of them. */
  id(): Promise<string>
  /** Highest job number ever written, 0 when empty. Survives the removal of old rows. */
  highestNumber(): Promise<number>
  position(): Promise<ProjectorPosition | null>
  /**
   * Writes the snapshots and the new position in one transaction. A snapshot whose journal id is not newer than its row's changes
   * nothing, so repeats and late writers are harmless; bodies are written once, attempts and rounds by number. The position never moves back
   * within an epoch, and into another one only at its beginning, `0-0`.
   *
   * With `counted`, the position moves only when history stands where the counting began, and only then is anything added: of two who
   * read the same changes, one counts. False when it was not this one.
   */
  record(
    snapshots: readonly JobSnapshot[],
    position: ProjectorPosition,
    counted?: CountedStats,
  ): Promise<boolean>
  /**
   * Makes up to `limit` jobs FAILED that are neither finished nor FAILED, all with this failure. For those that a lost data set left
   * behind. Returns how many.
   */
  failUnfinished(failure: Failure, limit: number): Promise<number>
  /** In no order; unknown numbers are left out. */
  jobs(ns: readonly number[]): Promise<Job[]>
  body(n: number): Promise<Buffer | null>
  /** By job; unknown numbers are left out. */
  bodies(ns: readonly number[]): Promise<Map<number, Buffer>>
  /** By job and in order of their numbers; jobs without attempts are left out. */
  attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>>
  /** Rounds after the first, by job and in order; jobs without any are left out. */
  rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>>
  /** Newest first, at most `page.limit`. Takes a bounded time, whatever the filter. */
  search(filter: JobsFilter, page: JobsPage, wanted?: Wanted): Promise<JobsFound>
  /** The same and whole, however long that takes; others are answered meanwhile. */
  list(filter: JobsFilter, page: JobsPage): Promise<Job[]>
  /** At most `limit`, so that counting a million rows costs no more than counting `limit`; the same as `list` in time. */
  count(filter: JobsFilter, limit: number): Promise<number>
  /** Counts in a bounded time, and tells whether that is all. */
  tally(filter: JobsFilter, limit: number): Promise<Tally>
  /** Removes up to `limit` jobs that were finished (DELIVERED, FAILED, DISCARDED) before `before`, with bodies and attempts. Returns how many. */
  removeFinished(before: number, limit: number): Promise<number>
}
