import type { Logger } from 'pino'
import { type Failure, type Job, jobId } from '../events/job.ts'
import type { ScheduledJob } from '../events/lanes.ts'
import type { FinishAs, Transitions } from '../events/transitions.ts'
import { type AttemptResult, attempt } from './attempt.ts'
import { deliveryHeaders } from './delivery-headers.ts'
import type { DeliveryReport } from './delivery-report.ts'
import type { Destination } from './destination.ts'
import type { ErrorQueue } from './error-queue.ts'
import type { HttpClient } from './http-client.ts'
import { attemptRecord, type Begun, failureOf, failureWithoutAttempt } from './outcome-record.ts'
import { type NextStep, nextStep, type RetryPolicy } from './retry-policy.ts'

/** What BullMQ has to do with its entry now. */
export type Afterwards =
  | { kind: 'done' }
  /** Comes back at this time, in epoch milliseconds. */
  | { kind: 'later'; at: number }
  /** Downstream reported the job while it was delivered: this round is next. */
  | { kind: 'again'; queue: string; round: number }

export type DeliverDeps = {
  transitions: Transitions
  errorQueue: ErrorQueue
  client: HttpClient
  /** Undefined when the destination is gone. */
  destination: (id: string) => Destination | undefined
  policy: RetryPolicy
  /** How long beyond an attempt's deadline its worker may take to record the outcome. */
  leaseMarginMs: number
  log: Logger
  report?: DeliveryReport
  now: () => number
  /** Aborted when the process must stop before the attempts in flight are over. */
  aborted: AbortSignal
}

const shortestWaitMs = 250

/** Longest deadline of an attempt whose destination is unknown until the record is read. */
export type LeaseOptions = { maxTimeoutMs: number }

/**
 * One delivery attempt of a job's round: takes the record to DELIVERING, sends, records the outcome. `owner` names this call, so
 * that a repeated start after a lost answer is recognised.
 */
export async function deliverJob(
  deps: DeliverDeps & LeaseOptions,
  { n, round }: ScheduledJob,
  owner: string,
): Promise<Afterwards> {
  const started = await deps.transitions.start(n, round, owner, deps.maxTimeoutMs + deps.leaseMarginMs)
  // Until when is told by Redis' clock: to a process whose own is ahead it may be over, and it would ask on and on.
  if (started.kind === 'wait')
    return { kind: 'later', at: Math.max(started.until, deps.now() + shortestWaitMs) }
  if (started.kind === 'refused') {
    deps.log.debug({ job: jobId(n), round, status: started.status }, 'delivery refused by the record')
    return { kind: 'done' }
  }
  return record(deps, started, await decide(deps, started))
}

/** Sends, unless that makes no sense any more, and says what the record becomes. */
async function decide(deps: DeliverDeps, begun: Begun): Promise<FinishAs> {
  const { job, attemptInRound, firstAttemptAt } = begun
  const destination = deps.destination(job.destination)
  const giveUp = (reason: string, error: string): FinishAs => {
    return { status: 'FAILED', failure: failureWithoutAttempt(begun, reason, error, deps.now()) }
  }
  if (!destination) return giveUp('DESTINATION_GONE', `there is no destination ${job.destination}`)
  // Whatever this job does to its workers, it does not do it for ever.
  if (begun.lost > deps.policy.scheduleMs.length) {
    return giveUp('WORKER_LOST', `${begun.lost} workers that had the job never came back`)
  }
  const result = await send(deps, begun, destination)
  // That this process stops says nothing about the receiver: another one goes on at once.
  const isBrokenOff = deps.aborted.aborted && result.outcome.kind === 'unanswered'
  if (isBrokenOff) return { ...finishAs(deps, begun, result, { do: 'retry', delayMs: 0 }), uncounted: true }
  const step = nextStep(deps.policy, attemptInRound, result.outcome, deps.now() - firstAttemptAt)
  return finishAs(deps, begun, result, step)
}

function send(deps: DeliverDeps, begun: Begun, destination: Destination): Promise<AttemptResult> {
  const headers = deliveryHeaders(begun.job, begun.attempt, deps.now(), destination)
  const request = { url: destination.url, headers, body: begun.body }
  return attempt(deps.client, request, { timeoutMs: destination.timeoutMs, signal: deps.aborted })
}

function finishAs(deps: DeliverDeps, begun: Begun, result: AttemptResult, step: NextStep): FinishAs {
  if (step.do === 'done') return { status: 'DELIVERED', attempt: attemptRecord(begun, result, 'DELIVERED') }
  if (step.do === 'retry') {
    return { status: 'RETRYING', delayMs: step.delayMs, attempt: attemptRecord(begun, result, 'RETRY') }
  }
  const record = attemptRecord(begun, result, 'FAILED')
  return { status: 'FAILED', failure: failureOf(begun, record, step.why, deps.now()), attempt: record }
}

async function record(deps: DeliverDeps, begun: Begun, as: FinishAs): Promise<Afterwards> {
  const { n, round } = begun.job
  const finished = await deps.transitions.finish(n, begun.attempt, as)
  if (finished.kind === 'refused') {
    deps.log.warn(
      { job: jobId(n), round, status: finished.status },
      'outcome came too late, another worker has the job',
    )
    return { kind: 'done' }
  }
  const { attempt: sent } = as
  deps.report?.({
    ...{ queue: begun.job.queue, status: finished.status },
    attempt: sent && { outcome: sent.outcome, tookMs: sent.timing.totalMs },
    sinceAcceptedMs: round === 0 ? deps.now() - begun.job.receivedAt : undefined,
  })
  const { statusCode, error } = sent ?? {}
  const level = finished.status === 'FAILED' ? 'warn' : finished.status === 'RETRYING' ? 'info' : 'debug'
  deps.log[level](
    { job: jobId(n), round, attempt: begun.attempt, status: finished.status, statusCode, error },
    'delivery attempt',
  )
  if (finished.status === 'RETRYING') return { kind: 'later', at: finished.nextAttemptAt }
  if (finished.status === 'QUEUED') return { kind: 'again', queue: begun.job.queue, round: finished.round }
  if (finished.status === 'FAILED' && as.failure) await rest(deps, begun.job, as.failure)
  return { kind: 'done' }
}

async function rest(deps: DeliverDeps, job: Job, failure: Failure): Promise<void> {
  await deps.errorQueue.add(job, failure)
  await deps.transitions.settle(job.n, job.round)
}
