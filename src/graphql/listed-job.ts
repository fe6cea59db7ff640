import type { Attempt, Job } from '../events/job.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type { GraphqlContext } from './context.ts'

/** A job, and what was read for the whole list that it is in: its fields have that at once, where a promise for each would cost more. */
export type ListedJob = Job & { readonly listed?: Listed }
type Listed = { tenant?: Tenant | null | undefined; attempts?: Attempt[] | undefined }

/**
 * Reads what is selected of these jobs. What cannot be read is left to the fields that ask for it, which tell so in their place.
 */
export async function readListed(
  jobs: readonly Job[],
  selected: ReadonlySet<string>,
  context: GraphqlContext,
): Promise<void> {
  const { loaders, services } = context
  const cnpjs = selected.has('tenant') ? [...new Set(jobs.map(({ cnpj }) => cnpj))] : []
  const attempts = selected.has('attempts') && jobs.length > 0 ? [services.jobs.pastAttempts(jobs)] : []
  const [tenants, past] = await Promise.all([
    Promise.allSettled(cnpjs.map((cnpj) => loaders.tenant.load(cnpj))),
    Promise.allSettled(attempts),
  ])
  const byCnpj = new Map(cnpjs.map((cnpj, at) => [cnpj, fulfilled(tenants[at])]))
  const byJob = fulfilled(past[0])
  for (const job of jobs) {
    const listed: Listed = { tenant: byCnpj.get(job.cnpj), attempts: byJob?.get(job.n) }
    Object.assign(job, { listed })
  }
}

const fulfilled = <Value>(result: PromiseSettledResult<Value> | undefined): Value | undefined =>
  result?.status === 'fulfilled' ? result.value : undefined
