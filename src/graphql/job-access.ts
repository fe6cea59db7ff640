import { GanchoError } from '../errors.ts'
import type { Job } from '../events/job.ts'
import { jobNumber } from '../history/visible-jobs.ts'
import type { GraphqlContext } from './context.ts'

/** Null for a job that the principal may not see, as for one that is not there. */
export async function findJob(id: string, { loaders }: GraphqlContext): Promise<Job | null> {
  const n = jobNumber(id)
  return n === undefined ? null : loaders.job.load(n)
}

/** @throws GanchoError JOB_NOT_FOUND, the same for a job that the principal may not see and for one that is not there */
export async function requireJob(id: string, context: GraphqlContext): Promise<Job> {
  const job = await findJob(id, context)
  if (!job) throw new GanchoError('JOB_NOT_FOUND', `There is no job ${id.slice(0, 40)}.`)
  return job
}

/** The job as it is after a change in this request. @throws GanchoError JOB_NOT_FOUND */
export function changedJob(id: string, n: number, context: GraphqlContext): Promise<Job> {
  const { loaders } = context
  loaders.job.clear(n)
  loaders.attempts.clear(n)
  loaders.rounds.clear(n)
  loaders.queueCounts.clearAll()
  return requireJob(id, context)
}
