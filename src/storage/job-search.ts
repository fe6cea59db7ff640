import type { Job } from '../events/job.ts'
import type { JobPart, JobsFilter, JobsFound, JobsPage, Tally } from '../history/history-store.ts'
import { type Candidates, type Look, lookThrough } from './look-through.ts'
import type { Matching, Query } from './matching.ts'
import type { SqlDatabase } from './sql.ts'

type Deps = {
  database: SqlDatabase
  matching: (filter: JobsFilter, page: JobsPage, candidates: number) => Matching
  /** The jobs with these numbers, in no order. */
  read: (numbers: Query, parts: readonly JobPart[]) => Promise<Job[]>
} & SearchLimits

/** `searchMs`: how long a search goes on before it answers with what it has. */
export type SearchLimits = { candidates: Candidates; searchMs: number }

const everything = ['headers', 'failure'] as const satisfies readonly JobPart[]
const forever = Number.POSITIVE_INFINITY

/** What `HistoryStore` promises of lists, searches and counts. */
export function jobSearch({ database, matching, read, candidates: limits, searchMs }: Deps) {
  /** Null when all candidates were looked through. */
  const reachedBy = async (looked: Query | null, candidates: number): Promise<number | null> => {
    if (!looked) return null
    const [row] = await database.all(looked.sql, looked.binds)
    return Number(row?.looked) < candidates ? null : Number(row?.reached)
  }

  const found = async (filter: JobsFilter, page: JobsPage, parts: readonly JobPart[], withinMs: number) => {
    const look = async (where: JobsPage, candidates: number): Promise<Look<Job[]>> => {
      const { numbers, candidates: looked } = matching(filter, where, candidates)
      const jobs = await read(numbers, parts)
      const isFull = jobs.length >= where.limit
      return { found: jobs, size: jobs.length, reached: isFull ? null : await reachedBy(looked, candidates) }
    }
    const { found, reached } = await lookThrough(look, page, limits, withinMs)
    return { jobs: found.flat().sort((a, b) => b.n - a.n), reached }
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
    search: (filter: JobsFilter, page: JobsPage, parts: readonly JobPart[] = []): Promise<JobsFound> =>
      found(filter, page, parts, searchMs),
    list: async (filter: JobsFilter, page: JobsPage): Promise<Job[]> =>
      (await found(filter, page, everything, forever)).jobs,
    count: async (filter: JobsFilter, limit: number): Promise<number> =>
      (await counted(filter, limit, forever)).size,
    async tally(filter: JobsFilter, limit: number): Promise<Tally> {
      const { size, reached } = await counted(filter, limit, searchMs)
      return { count: size, isExact: size < limit && reached === null }
    },
  }
}
