import type { Job, JobStatus } from '../../src/events/job.ts'
import { until } from './client.ts'
import type { Core } from './core.ts'

/** Accepts an event and schedules it, as intake and dispatcher do. Answers the job's number. */
export async function scheduledJob(core: Core, event: Parameters<Core['accept']>[0] = {}): Promise<number> {
  const n = await core.accept(event)
  await core.transitions.enqueue([n])
  await core.lanes.add([{ n, round: 0, queue: 'nifi' }])
  return n
}

export function jobBecomes(core: Core, n: number, status: JobStatus) {
  let seen: Job | null = null
  const check = async () => {
    seen = await core.job(n)
    return seen?.status === status
  }
  return until(check, { what: () => `job ${n} is ${status}, last seen as ${JSON.stringify(seen)}` })
}
