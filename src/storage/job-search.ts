import type { Job } from '../events/job.ts'
import type { JobsFilter, JobsFound, JobsPage, JobsRead, Tally, Wanted } from '../history/history-store.ts'
import { type Candidates, type Look, lookThrough } from './look-through.ts'
import type { Matching, Query } from './matching.ts'
import type { SqlDatabase } from './sql.ts'

type Deps = {
  database: SqlDatabase
  matching: (filter: JobsFilter, page: JobsPage, candidates: number) => Matching
  /** What is wanted of the jobs with these numbers, which are in no order. */
  read: (numbers: Query, wanted: Wanted) => Promise<JobsRead>
} & SearchLimits

/** `searchMs`: how long a search goes on before it answers with what it has. */
export type SearchLimits = { candidates: Candidates; searchMs: number }

const forever = Number.POSITIVE_INFINITY

/** What `HistoryStore` promises of lists, searches and counts. */
export function jobSearch({ database, matching, read, candidates: limits, searchMs }: Deps) {
  /** Null when all candidates were looked through. */
  const reachedBy = async (looked: Query | null, candidates: number): Promise<number | null> => {
    if (!looked) return null
    const [row] = await database.all(looked.sql, looked.binds)
    return Number(row?.looked) < candidates ? null : Number(row?.reached)
  }

  const found = async (filter: JobsFilter, page: JobsPage, wanted: Wanted, withinMs: number) => {
    const look = async (where: JobsPage, candidates: number): Promise<Look<JobsRead>> => {
      const { numbers, candidates: looked } = matching(filter, where, candidates)
      const found = await read(numbers, wanted)
      const size = found.jobs.length
      return { found, size, reached: size >= where.limit ? null : await reachedBy(looked, candidates) }
    }
    const { found, reached } = await lookThrough(look, page, limits, withinMs)
    return { ...together(found), reached }
  }

  const counted = (filter: JobsFilter, limit: number, withinMs: number) => {
    const look = async (where: JobsPage, candidates: number): Promise<Look<null>> => {
      const { numbers, candidates: looked } = matching(filter, where, candidates)
      const [row] = await database.all(`SELECT count(*) AS counted FROM (${numbers.sql})`, numbers.binds)
      const size = Number(row?.counted)
      return { found: null, size, reached: size >= where.limit ? null : await reachedBy(looked, candidates) }
    }
    return lookThrough(look, { limit }, limits, withinMs)
  }

  return {
    search: (filter: JobsFilter, page: JobsPage, wanted: Wanted = {}): Promise<JobsFound> =>
      found(filter, page, wanted, searchMs),
    list: async (filter: JobsFilter, page: JobsPage): Promise<Job[]> =>
      (await found(filter, page, {}, forever)).jobs,
    count: async (filter: JobsFilter, limit: number): Promise<number> =>
      (await counted(filter, limit, forever)).size,
    async tally(filter: JobsFilter, limit: number): Promise<Tally> {
      const { size, reached } = await counted(filter, limit, searchMs)
      return { count: size, isExact: size < limit && reached === null }
    },
  }
}

/** All that several looks have found, newest first; there is one of them nearly always. */
function together([first, ...others]: readonly JobsRead[]): JobsRead {
  const all: JobsRead = first ?? { jobs: [], attempts: new Map(), tenants: new Map() }
  for (const { jobs, attempts, tenants } of others) {
    all.jobs.push(...jobs)
    for (const [n, tried] of attempts) all.attempts.set(n, tried)
    for (const [cnpj, tenant] of tenants) all.tenants.set(cnpj, tenant)
  }
  all.jobs.sort((a, b) => b.n - a.n)
  return all
}
