import type { Job } from '../events/job.ts'

/** What a job's status means for whoever waits for it, in one or two sentences, from its record alone. Times are UTC. */
export function explain(job: Job): string {
  const { queue, destination, attempts, failure } = job
  switch (job.status) {
    case 'RECEIVED':
      return `Accepted at ${time(job.receivedAt)} and safe; it is on its way into queue ${queue}.`
    case 'QUEUED':
      return queued(job)
    case 'HELD':
      return `Held back before it is sent to destination ${destination}, by an access window, a breaker or a pause.`
    case 'DELIVERING':
      return `Attempt ${attempts} to deliver it to destination ${destination} is under way.`
    case 'RETRYING':
      return `Attempt ${attempts} did not succeed. Attempt ${attempts + 1} follows${at(job.nextAttemptAt)}.`
    case 'DELIVERED':
      return `Delivered to destination ${destination}${at(job.deliveredAt)} with attempt ${attempts}.`
    case 'FAILED':
      return failure
        ? `Failed for good at ${time(failure.failedAt)} after ${counted(failure.attempts)} (${failure.reason}): ${failure.error}.`
        : 'Failed for good.'
    case 'DISCARDED':
      return `Discarded at ${time(job.updatedAt)} after ${counted(attempts)}; it is not delivered any more.`
  }
}

function queued({ queue, round, attempts, reported }: Job): string {
  if (round === 0) return `Waiting in queue ${queue} for a worker.`
  const why = reported ? `, because downstream reported: ${reported}` : ''
  return `Queued again in ${queue} (round ${round}, ${counted(attempts)} before)${why}.`
}

const time = (ms: number) => new Date(ms).toISOString()
const at = (ms: number | null) => (ms === null ? '' : ` at ${time(ms)}`)
const counted = (attempts: number) => (attempts === 1 ? '1 attempt' : `${attempts} attempts`)
