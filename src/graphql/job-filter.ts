import { z } from 'zod'
import { jobStatuses, type JobStatus as Status } from '../events/job.ts'
import type { JobsFilter } from '../history/history-store.ts'
import type { Principal } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { jobNumber } from './job-access.ts'
import { maySee } from './loaders.ts'

export const JobStatus = builder.enumType('JobStatus', { values: jobStatuses })

const maxIds = 1_000

export const JobFilter = builder.inputType('JobFilter', {
  description: 'All that is given must hold; an empty list matches nothing.',
  fields: (t) => ({
    ids: t.idList({ validate: z.array(z.string()).max(maxIds, `ids takes at most ${maxIds}`).nullish() }),
    cnpj: t.field({ type: 'CNPJ' }),
    queue: t.string(),
    statuses: t.field({ type: [JobStatus] }),
  }),
})

type Given = {
  ids?: readonly string[] | null | undefined
  cnpj?: string | null | undefined
  queue?: string | null | undefined
  statuses?: readonly Status[] | null | undefined
}

/** What was asked for, within what the principal may see: other tenants' jobs are filtered out like jobs that do not exist. */
export function jobsFilter(given: Given | null | undefined, principal: Principal): JobsFilter {
  const { ids, cnpj, queue, statuses } = given ?? {}
  if (cnpj != null && !maySee(principal, cnpj)) return { ns: [] }
  const owner = principal.kind === 'tenant' ? principal.tenant.cnpj : cnpj
  return {
    ...(ids == null ? {} : { ns: ids.flatMap((id) => jobNumber(id) ?? []) }),
    ...(owner == null ? {} : { cnpj: owner }),
    ...(queue == null ? {} : { queue }),
    ...(statuses == null ? {} : { statuses }),
  }
}
