import type { Attempt, Job } from '../events/job.ts'
import type { JobsRead } from '../history/history-store.ts'
import type { Tenant } from '../tenants/tenant.ts'

/** A job, and what was read for the whole list that it is in: its fields have that at once, where a promise for each would cost more. */
export type ListedJob = Job & { listed?: Listed }
type Listed = { tenant: Tenant | null | undefined; attempts: Attempt[] | undefined }

/** Gives each of the jobs what was read beside. `tenantsRead`: whether their tenants were. */
export function listedJobs({ jobs, attempts, tenants }: JobsRead, tenantsRead = false): ListedJob[] {
  const listed: ListedJob[] = jobs
  for (const job of listed) {
    const tenant = tenantsRead ? (tenants.get(job.cnpj) ?? null) : undefined
    job.listed = { tenant, attempts: attempts.get(job.n) }
  }
  return listed
}
