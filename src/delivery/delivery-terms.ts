import type { Job } from '../events/job.ts'
import { defaultDestinationId } from '../events/routing.ts'
import type { Destination } from './destination.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** How one job is delivered to its destination: what that sets itself, and the environment's for the rest. */
export type DeliveryTerms = {
  policy: RetryPolicy
  /** Deadline of one attempt. */
  timeoutMs: number
  /** Epoch milliseconds at which the job is given up; null: never. */
  deadlineAt: number | null
  /** For how long after its first attempt a job that others of its ordering key wait for is tried. */
  blockMs: number
}

export type DefaultTerms = Pick<DeliveryTerms, 'policy' | 'timeoutMs' | 'blockMs'>

type Terms = Pick<
  Destination,
  | ('id' | 'retryScheduleSeconds' | 'retryForSeconds' | 'finalStatuses' | 'timeoutMs')
  | ('jobDeadlineSeconds' | 'fifoBlockSeconds')
>

/** The receiver unsubscribes (Standard Webhooks 1.0.0, "Delivery success and failure"). */
export const gone = 410

export function deliveryTerms(
  destination: Terms,
  job: Pick<Job, 'receivedAt' | 'requeuedAt'>,
  defaults: DefaultTerms,
): DeliveryTerms {
  const { jobDeadlineSeconds: seconds, fifoBlockSeconds: blockSeconds } = destination
  return {
    policy: policyOf(destination, defaults.policy),
    timeoutMs: destination.timeoutMs ?? defaults.timeoutMs,
    deadlineAt: seconds === null ? null : (job.requeuedAt ?? job.receivedAt) + seconds * 1000,
    blockMs: blockSeconds === null ? defaults.blockMs : blockSeconds * 1000,
  }
}

function policyOf(destination: Terms, defaults: RetryPolicy): RetryPolicy {
  const { retryScheduleSeconds: schedule, retryForSeconds, finalStatuses: statuses } = destination
  // A schedule of its own is all that is made, unless it says for how long beyond.
  const forMs = schedule ? 0 : defaults.forMs
  // Whoever can be put out of service by a 410 has no further attempt after one.
  const always = isEnvironments(destination) ? [] : [gone]
  return {
    ...defaults,
    scheduleMs: schedule?.map((seconds) => seconds * 1000) ?? defaults.scheduleMs,
    forMs: retryForSeconds === null ? forMs : retryForSeconds * 1000,
    finalStatuses: new Set([...(statuses ?? defaults.finalStatuses), ...always]),
  }
}

/** Nothing that a receiver answers puts it out of service: only the environment names it. */
export const isEnvironments = ({ id }: Pick<Destination, 'id'>) => id === defaultDestinationId
