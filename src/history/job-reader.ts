import { type Attempt, isOver, type Job, type JobRound } from '../events/job.ts'
import type { JobRecords } from '../events/job-records.ts'
import type { HistoryStore, JobPart, JobsFilter, JobsFound, JobsPage, Tally } from './history-store.ts'

/** Jobs, wherever they are: the record in Redis while there is one (it is the truth), else the history. */
export type JobReader = {
  /** In no order; unknown numbers are left out. */
  jobs(ns: readonly number[]): Promise<Job[]>
  job(n: number): Promise<Job | null>
  body(n: number): Promise<Buffer | null>
  /** By job; unknown numbers are left out. */
  bodies(ns: readonly number[]): Promise<Map<number, Buffer>>
  /** In order of their numbers. */
  attempts(ns: readonly number[]): Promise<Map<number, Attempt[]>>
  /**
   * The same for jobs of a list, from history alone, which is as old as the list. Left out are jobs that go on, and those that tell of
   * attempts which history does not have.
   */
  pastAttempts(jobs: readonly Job[]): Promise<Map<number, Attempt[]>>
  /** Rounds after the first, in order. */
  rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>>
  snapshot(n: number): Promise<{ job: Job; body: Buffer } | null>
  /** From history alone, which is a moment behind. */
  list(filter: JobsFilter, page: JobsPage): Promise<Job[]>
  count(filter: JobsFilter, limit: number): Promise<number>
  /** From history alone, in a bounded time, see `HistoryStore`. */
  search(filter: JobsFilter, page: JobsPage, parts?: readonly JobPart[]): Promise<JobsFound>
  tally(filter: JobsFilter, limit: number): Promise<Tally>
}

export function createJobReader(records: JobRecords, history: HistoryStore): JobReader {
  // Records first: a record is deleted only after its last state is in history, so a job seen in neither does not exist.
  const jobs = async (ns: readonly number[]) => {
    const live = await records.jobs(ns)
    const known = new Set(live.map((job) => job.n))
    const missing = ns.filter((n) => !known.has(n))
    return missing.length === 0 ? live : [...live, ...(await history.jobs(missing))]
  }
  return {
    jobs,
    async job(n) {
      return (await jobs([n]))[0] ?? null
    },
    async body(n) {
      return (await records.body(n)) ?? history.body(n)
    },
    async bodies(ns) {
      const live = await records.bodies(ns)
      const missing = ns.filter((n) => !live.has(n))
      return missing.length === 0 ? live : new Map([...live, ...(await history.bodies(missing))])
    },
    async attempts(ns) {
      // A record that was brought back from history holds the attempts since then alone.
      const live = await records.attempts(ns)
      const past = await history.attempts(ns)
      return new Map(ns.map((n) => [n, merged(past.get(n) ?? [], live.get(n) ?? [])]))
    },
    async pastAttempts(jobs) {
      const settled = jobs.filter((job) => isOver(job) || job.status === 'FAILED')
      if (settled.length === 0) return new Map()
      const past = await history.attempts(settled.map(({ n }) => n))
      const known = settled.map((job) => [job, past.get(job.n) ?? []] as const)
      return new Map(
        known.flatMap(([job, attempts]) => (attempts.length < job.attempts ? [] : [[job.n, attempts]])),
      )
    },
    async rounds(ns) {
      const live = await records.rounds(ns)
      const past = await history.rounds(ns)
      return new Map(ns.map((n) => [n, merged(past.get(n) ?? [], live.get(n) ?? [])]))
    },
    async snapshot(n) {
      const [job] = await history.jobs([n])
      const body = job && (await history.body(n))
      return job && body ? { job, body } : null
    },
    list: (filter, page) => history.list(filter, page),
    count: (filter, limit) => history.count(filter, limit),
    search: (filter, page, parts) => history.search(filter, page, parts),
    tally: (filter, limit) => history.tally(filter, limit),
  }
}

function merged<Numbered extends { number: number }>(
  past: readonly Numbered[],
  live: readonly Numbered[],
): Numbered[] {
  const byNumber = new Map([...past, ...live].map((one) => [one.number, one]))
  return [...byNumber.values()].sort((a, b) => a.number - b.number)
}
