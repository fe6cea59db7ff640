import type { Known } from '../delivery/known-destinations.ts'
import { type Job, jobId } from '../events/job.ts'
import type { JobWait } from './job-wait.ts'

/**
 * What a job's status means for whoever waits for it, in one or two sentences, from its record, what is known of its destination
 * (nothing when that is not there, or cannot be looked up), and why it is not delivered yet. Times are UTC.
 */
export function explain(job: Job, known: Known | undefined, wait: JobWait | null): string {
  const { queue, destination, attempts, failure } = job
  switch (job.status) {
    case 'RECEIVED':
      return `Accepted at ${time(job.receivedAt)} and safe; it is on its way into queue ${queue}.${noWorker(wait)}`
    case 'QUEUED':
    case 'HELD':
      return [again(job), wait && waiting(job, known, wait)].filter(Boolean).join(' ')
    case 'DELIVERING':
      return `Attempt ${attempts} to deliver it to destination ${destination} is under way.`
    case 'RETRYING':
      return retrying(job, known, wait)
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

function again({ queue, round, attempts, reported }: Job): string {
  if (round === 0) return ''
  const why = reported ? `, because downstream reported: ${reported}` : ''
  return `Queued again in ${queue} (round ${round}, ${counted(attempts)} before)${why}.`
}

function waiting(job: Job, known: Known | undefined, wait: JobWait): string {
  const { queue, destination } = job
  const { until, ahead, first } = wait
  const { disabledReason = null, ratePerSecond = null } = known?.settings ?? {}
  switch (wait.reason) {
    case 'NO_WORKER':
      return `Waiting in queue ${queue}: no worker is running.`
    case 'QUEUE_PAUSED':
      return `Waiting in queue ${queue}. Nothing is taken from queue ${queue} now: it is paused.`
    case 'OUT_OF_SERVICE':
      return `Held back, because destination ${destination} is out of service${disabledReason === null ? '' : ` (${disabledReason})`}.`
    case 'DELIVERY_WINDOW':
      return `Held back${untilTime(until)}, because it is outside the hours of destination ${destination}.`
    case 'BREAKER':
      return breaking(destination, wait)
    case 'RATE':
      return `Waiting for its turn${ahead === null ? at(until) : soonest(until)}: destination ${destination} gets ${ratePerSecond ?? 'few'} attempts a second at most.`
    case 'ORDER':
      return `Waiting for ${jobs(ahead)} of its ordering key to be over, which came to destination ${destination} before it${first === null ? '' : `; the first is ${jobId(first)}`}.`
    case 'CONCURRENCY':
      return `Waiting for its turn at destination ${destination}, which has as much under way as it may; ${jobs(ahead)} of its tenant ${ahead === 1 ? 'comes' : 'come'} before it.`
    case 'BACKLOG':
      return `Waiting for its turn at destination ${destination}; ${jobs(ahead)} of its tenant ${ahead === 1 ? 'comes' : 'come'} before it.`
    default:
      return job.round === 0 ? `Waiting in queue ${queue} for a worker.` : ''
  }
}

function breaking(destination: string, { until, breaker: { state, failureRate } }: JobWait): string {
  const rate = failureRate === null ? '' : ` (${Math.round(failureRate * 100)} % of its attempts)`
  if (state === 'OPEN')
    return `Held back${untilTime(until)}, because destination ${destination} failed too much${rate}.`
  if (state === 'HALF_OPEN')
    return `Held back, because destination ${destination} failed too much${rate}; it is tried with a few jobs now.`
  return `Waiting for its turn: destination ${destination} works again, and gets few jobs at a time at first.`
}

function retrying(job: Job, known: Known | undefined, wait: JobWait | null): string {
  const { destination, attempts, nextAttemptAt } = job
  const next = `Attempt ${attempts + 1} follows${at(nextAttemptAt)}`
  if (!known) return `Destination ${destination} cannot be found. ${next}, if it is there by then.`
  if (!known.destination)
    return `The secrets of destination ${destination} cannot be read. ${next}, if they can be by then.`
  if (attempts === 0)
    return `Destination ${destination} could not be looked up, so nothing was sent yet. ${next}.`
  const failed = `Attempt ${attempts} did not succeed.`
  if (wait?.reason === 'RETRY_AFTER') return `${failed} ${next}, as the destination asked for by Retry-After.`
  const isDue = wait !== null && wait.reason !== 'BACKOFF'
  return isDue
    ? `Attempt ${attempts} did not succeed, and the next is due. ${waiting({ ...job, round: 0 }, known, wait)}`
    : `${failed} ${next}.`
}

const noWorker = (wait: JobWait | null) => (wait?.reason === 'NO_WORKER' ? ' No worker is running.' : '')
const time = (ms: number) => new Date(ms).toISOString()
const at = (ms: number | null) => (ms === null ? '' : ` at ${time(ms)}`)
const soonest = (ms: number | null) => (ms === null ? '' : `, not before ${time(ms)}`)
const untilTime = (ms: number | null) => (ms === null ? '' : ` until ${time(ms)}`)
const jobs = (count: number | null) => (count === 1 ? '1 job' : `${count ?? 0} jobs`)
const counted = (attempts: number) => (attempts === 1 ? '1 attempt' : `${attempts} attempts`)
