import type { Attempt, Job } from '../events/job.ts'
import type { JobsRead } from '../history/history-store.ts'
import type { Tenant } from '../tenants/tenant.ts'

/** A job, and what was read for the whole list that it is in: its fields have that at once, where a promise for each would cost more. */
export type ListedJob = Job & { readonly listed?: Listed }
type Listed = { tenant: Tenant | null | undefined; attempts: Attempt[] | undefined }

/** The jobs that were read, each with what was read beside. `tenantsRead`: whether their tenants were. */
export const listedJobs = ({ jobs, attempts, tenants }: JobsRead, tenantsRead = false): ListedJob[] =>
  jobs.map((job) => {
    const tenant = tenantsRead ? (tenants.get(job.cnpj) ?? null) : undefined
    return Object.assign(job, { listed: { tenant, attempts: attempts.get(job.n) } })
  })
