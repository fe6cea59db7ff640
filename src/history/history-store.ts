import type { Attempt, Failure, Job, JobStatus } from '../events/job.ts'

/** A job as the projector found it: its record, the attempts known by then, and its body, null once that is written. */
export type JobSnapshot = { job: Job; body: Buffer | null; attempts: Attempt[] }

/** All that is given must hold; an empty list matches nothing. */
export type JobsFilter = {
  ns?: readonly number[]
  cnpj?: string
  queue?: string
  statuses?: readonly JobStatus[]
}

/**
 * A page of the list ordered by number, newest first. `before` and `after` are numbers of jobs outside the page: `after: 10` asks
 * for numbers below 10. `fromEnd` takes the last `limit` of that range, still newest first.
 */
export type JobsPage = { limit: number; after?: number; before?: number; fromEnd?: boolean }

/** Where the projector stands: the data set (epoch) and the journal id up to which history is written. */
export type ProjectorPosition = { epoch: string; journalId: string }

/** Tables of finished and running jobs, written by the projector alone. Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export interface HistoryStore {
  /** Name of this database, made when its tables were. A Redis data set belongs to one of them. */
  id(): Promise<string>
  /** Highest job number ever written, 0 when empty. Survives the removal of old rows. */
  highestNumber(): Promise<number>
  position(): Promise<ProjectorPosition | null>
  /**
   * Writes the snapshots and the new position in one transaction. A snapshot whose journal id is not newer than its row's changes
   * nothing, so repeats and late writers are harmless; bodies are written once, attempts by number. The position never moves back
   * within an epoch.
   */
  record(snapshots: readonly JobSnapshot[], position: ProjectorPosition): Promise<void>
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
  /** Newest first, at most `page.limit`. */
  list(filter: JobsFilter, page: JobsPage): Promise<Job[]>
  /** At most `limit`, so that counting a million rows costs no more than counting `limit`. */
  count(filter: JobsFilter, limit: number): Promise<number>
  /** Removes up to `limit` jobs that were finished (DELIVERED, FAILED, DISCARDED) before `before`, with bodies and attempts. Returns how many. */
  removeFinished(before: number, limit: number): Promise<number>
}
