import type { Known } from '../delivery/known-destinations.ts'
import type { FlowPlace } from '../events/flow-places.ts'
import type { Job } from '../events/job.ts'

/**
 * What a job's status means for whoever waits for it, in one or two sentences, from its record, what is known of its destination
 * (nothing when that is not there, or cannot be looked up), and where it waits for its turn, if it does. Times are UTC.
 */
export function explain(job: Job, known: Known | undefined, place: FlowPlace | null = null): string {
  const { queue, destination, attempts, failure } = job
  switch (job.status) {
    case 'RECEIVED':
      return `Accepted at ${time(job.receivedAt)} and safe; it is on its way into queue ${queue}.`
    case 'QUEUED':
      return queued(job, place)
    case 'HELD':
      return held(job, known)
    case 'DELIVERING':
      return `Attempt ${attempts} to deliver it to destination ${destination} is under way.`
    case 'RETRYING':
      return place === null ? retrying(job, known) : `${afterAttempts(job)}${waiting(job, place)}`
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

const waitingStatuses: ReadonlySet<string> = new Set(['RECEIVED', 'QUEUED', 'HELD', 'RETRYING'])

/** Whether it makes a difference to the job that its queue is paused. */
export const waitsForQueue = ({ status }: Job) => waitingStatuses.has(status)

export const explainPause = ({ queue }: Job) => `Nothing is taken from queue ${queue} now: it is paused.`

function queued(job: Job, place: FlowPlace | null): string {
  const { queue, round, attempts, reported } = job
  if (round === 0) return place === null ? `Waiting in queue ${queue} for a worker.` : waiting(job, place)
  const why = reported ? `, because downstream reported: ${reported}` : ''
  const again = `Queued again in ${queue} (round ${round}, ${counted(attempts)} before)${why}.`
  return place === null ? again : `${again} ${waiting(job, place)}`
}

function waiting({ destination }: Job, { kind, before }: FlowPlace): string {
  const jobs = before === 1 ? '1 job' : `${before} jobs`
  if (kind === 'order')
    return `Waiting for ${jobs} of its ordering key to be over, which came to destination ${destination} before it.`
  return `Waiting for its turn at destination ${destination}, which has as much under way as it may; ${jobs} of its tenant come before it.`
}

const afterAttempts = ({ attempts }: Job) =>
  attempts === 0 ? '' : `Attempt ${attempts} did not succeed, and the next is due. `

function held({ destination }: Job, known: Known | undefined): string {
  const { active = true, disabledReason = null } = known?.settings ?? {}
  if (active)
    return `Held back before it is sent to destination ${destination}, by an access window, a breaker or a pause.`
  const why = disabledReason === null ? '' : ` (${disabledReason})`
  return `Held back, because destination ${destination} is out of service${why}.`
}

function retrying({ destination, attempts, nextAttemptAt }: Job, known: Known | undefined): string {
  const next = `Attempt ${attempts + 1} follows${at(nextAttemptAt)}`
  if (!known) return `Destination ${destination} cannot be found. ${next}, if it is there by then.`
  if (!known.destination)
    return `The secrets of destination ${destination} cannot be read. ${next}, if they can be by then.`
  if (attempts === 0)
    return `Destination ${destination} could not be looked up, so nothing was sent yet. ${next}.`
  return `Attempt ${attempts} did not succeed. ${next}.`
}

const time = (ms: number) => new Date(ms).toISOString()
const at = (ms: number | null) => (ms === null ? '' : ` at ${time(ms)}`)
const counted = (attempts: number) => (attempts === 1 ? '1 attempt' : `${attempts} attempts`)
