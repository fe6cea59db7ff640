import type { Redis } from 'ioredis'
import { isOver, type Job, overStatuses } from '../events/job.ts'
import { isAtOrBefore } from '../journal/journal-id.ts'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'

/** How long the last round of a deleted record is remembered: longer than anyone acts on what he read from history. */
const pastMs = 60_000

/** Redis does nothing else meanwhile: a millisecond for so many, about. */
const forgottenTogether = 100

/** Deletes the records of these jobs, unless they changed since. Returns how many went. */
export type ForgetJobs = (jobs: readonly Job[]) => Promise<number>

/** `statuses`: which records may go. */
export function forgetJobs(redis: Redis, statuses: readonly Job['status'][]): ForgetJobs {
  const script = loadScript(redis, 'forget')
  return async (jobs) => {
    let gone = 0
    for (let from = 0; from < jobs.length; from += forgottenTogether) {
      const args: ScriptArgument[] = [keys.jobPrefix, pastMs, statuses.join(' ')]
      for (const job of jobs.slice(from, from + forgottenTogether)) args.push(job.n, job.journalId)
      gone += Number(await script([keys.due], args))
    }
    return gone
  }
}

/** Deletes records of jobs that are over; those of FAILED jobs stay with their error queue entry. */
export const forgetOver = (redis: Redis): ForgetJobs => forgetJobs(redis, overStatuses)

/** The same, and only where history has their last change. */
export function forgetProjected(redis: Redis): ForgetJobs {
  const forget = forgetOver(redis)
  return async (jobs) => {
    const projected = await redis.get(keys.projected)
    if (projected === null) return 0
    return forget(jobs.filter((job) => isOver(job) && isAtOrBefore(job.journalId, projected)))
  }
}
