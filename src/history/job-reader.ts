import { type Attempt, isOver, type Job, type JobRound } from '../events/job.ts'
import type { JobRecords } from '../events/job-records.ts'
import type { HistoryStore, JobsFilter, JobsFound, JobsPage, Tally, Wanted } from './history-store.ts'

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
  /** Rounds after the first, in order. */
  rounds(ns: readonly number[]): Promise<Map<number, JobRound[]>>
  snapshot(n: number): Promise<{ job: Job; body: Buffer } | null>
  /** From history alone, which is a moment behind. */
  list(filter: JobsFilter, page: JobsPage): Promise<Job[]>
  count(filter: JobsFilter, limit: number): Promise<number>
  /**
   * From history alone, in a bounded time, see `HistoryStore`. Left out are the attempts of jobs that go on, and of those that tell of
   * attempts which history does not have.
   */
  search(filter: JobsFilter, page: JobsPage, wanted?: Wanted): Promise<JobsFound>
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
    async search(filter, page, wanted) {
      if (!wanted?.attempts) return history.search(filter, page, wanted)
      const job = wanted.job && [...new Set([...wanted.job, 'status', 'attempts'] as const)]
      const found = await history.search(filter, page, { ...wanted, job })
      return { ...found, attempts: settledAttempts(found) }
    },
    tally: (filter, limit) => history.tally(filter, limit),
  }
}

function settledAttempts({ jobs, attempts }: JobsFound): Map<number, Attempt[]> {
  const settled = new Map<number, Attempt[]>()
  for (const job of jobs) {
    const past = attempts.get(job.n) ?? []
    if ((isOver(job) || job.status === 'FAILED') && past.length >= job.attempts) settled.set(job.n, past)
  }
  return settled
}

function merged<Numbered extends { number: number }>(
  past: readonly Numbered[],
  live: readonly Numbered[],
): Numbered[] {
  const byNumber = new Map([...past, ...live].map((one) => [one.number, one]))
  return [...byNumber.values()].sort((a, b) => a.number - b.number)
}
