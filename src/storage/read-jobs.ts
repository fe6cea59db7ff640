import type { Attempt, Job } from '../events/job.ts'
import type { JobsRead, Wanted } from '../history/history-store.ts'
import { allAttemptParts, allJobParts, attemptParts, jobParts } from './job-row.ts'
import type { Row } from './sql.ts'
import { tenantColumns, tenantOfRow } from './tenant-row.ts'

/**
 * The beginnings of the queries for what is wanted of jobs, and how to read what they find. The order in which things are wanted makes no
 * other query: databases keep those that they know, by their texts.
 */
export function jobsReading(wanted: Wanted) {
  const { job = allJobParts } = wanted
  const parts = new Set<keyof Job>(['n', ...(wanted.tenants ? (['cnpj'] as const) : []), ...job])
  const { columns, ofRow } = jobParts(allJobParts.filter((part) => parts.has(part)))
  const attempts = wanted.attempts && attemptsReading(wanted.attempts)
  return {
    jobs: `SELECT ${columns.join(', ')} FROM jobs`,
    attempts: attempts?.select,
    tenants: wanted.tenants ? `SELECT ${tenantColumns.join(', ')} FROM tenants` : undefined,
    read: (jobs: readonly Row[], tried: readonly Row[], tenants: readonly Row[]): JobsRead => ({
      jobs: jobs.map(ofRow) as JobsRead['jobs'],
      attempts: attempts?.byJob(tried) ?? new Map(),
      tenants: new Map(tenants.map(tenantOfRow).map((tenant) => [tenant.cnpj, tenant])),
    }),
  }
}

/** The same for attempts; `byJob` takes their rows in order. */
export function attemptsReading(parts: readonly (keyof Attempt)[] = allAttemptParts) {
  const { columns, ofRow } = attemptParts(allAttemptParts.filter((part) => parts.includes(part)))
  return {
    select: `SELECT ${['n', ...columns].join(', ')} FROM attempts`,
    byJob(rows: readonly Row[]): Map<number, Attempt[]> {
      const found = new Map<number, Attempt[]>()
      for (const row of rows) {
        const n = Number(row.n)
        const before = found.get(n)
        const attempt = ofRow(row) as Attempt
        if (before) before.push(attempt)
        else found.set(n, [attempt])
      }
      return found
    },
  }
}

/** Of attempts, after their condition. */
export const inOrderOfAttempts = ' ORDER BY n, attempt_number'
