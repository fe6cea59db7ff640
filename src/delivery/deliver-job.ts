import type { Logger } from 'pino'
import { type Failure, type JobInHand, jobId } from '../events/job.ts'
import type { ScheduledJob } from '../events/lanes.ts'
import { isOperational } from '../events/operational-events.ts'
import type { DestinationTerms, FinishAs, Transitions, WhyNot } from '../events/transitions.ts'
import { type AttemptResult, attempt, type DeliveryRequest } from './attempt.ts'
import type { DeliveryReport } from './delivery-report.ts'
import { deliveryRequest } from './delivery-request.ts'
import {
  type DefaultTerms,
  type DeliveryTerms,
  deliveryTerms,
  gone,
  isEnvironments,
} from './delivery-terms.ts'
import type { Destination } from './destination.ts'
import type { ErrorQueue } from './error-queue.ts'
import type { FindDestination } from './find-destination.ts'
import type { HttpClient } from './http-client.ts'
import { outcomeClass } from './outcome-class.ts'
import { attemptRecord, type Begun, failureOf, failureWithoutAttempt } from './outcome-record.ts'
import { type NextStep, nextStep, withinBlock } from './retry-policy.ts'
import type { TraceAttempt } from './traced-attempt.ts'

/** What BullMQ has to do with its entry now. */
export type Afterwards =
  | { kind: 'done' }
  /** Comes back at this time, in epoch milliseconds. */
  | { kind: 'later'; at: number }
  /** It is not its turn: `keep` follows as soon as BullMQ has let it go. */
  | ({ kind: 'back' } & WhyNot)

export type DeliverDeps = {
  transitions: Transitions
  errorQueue: ErrorQueue
  clientFor: (destination: Destination) => HttpClient
  find: FindDestination
  /** What the scripts have to know of a destination; undefined for one that is not known here. */
  termsOf: (destination: string) => DestinationTerms | undefined
  /** Puts a destination out of service, unless it was changed since this version. */
  disable: (destination: Pick<Destination, 'id' | 'version'>, reason: string) => Promise<unknown>
  /** What holds for destinations that say nothing else. */
  defaults: DefaultTerms
  /** How long beyond an attempt's deadline its worker may take to record the outcome. */
  leaseMarginMs: number
  log: Logger
  report?: DeliveryReport
  trace?: TraceAttempt | undefined
  now: () => number
  /** Aborted when the process must stop before the attempts in flight are over. */
  aborted: AbortSignal
}

const shortestWaitMs = 250
/** When a job comes back whose destination could not be read: soon at first, for all who wait are many. */
const lookAgainMs = ({ looks }: Begun) => Math.min(15_000 * 2 ** looks, 60_000)

/**
 * One delivery attempt of a job's round: takes the record to DELIVERING, sends, records the outcome. `owner` names this call, so
 * that a repeated start after a lost answer is recognised.
 */
export async function deliverJob(
  deps: DeliverDeps,
  { n, round, destination: id }: ScheduledJob,
  owner: string,
): Promise<Afterwards> {
  const known = id === undefined ? undefined : deps.termsOf(id)
  const leaseMs = deps.defaults.timeoutMs + deps.leaseMarginMs
  const started = await deps.transitions.start(n, round, owner, leaseMs, known)
  if (started.kind === 'wait') return { kind: 'later', at: notBefore(deps.now(), started.until) }
  if (started.kind === 'back') return started
  if (started.kind === 'refused') {
    deps.log.debug({ job: jobId(n), round, status: started.status }, 'delivery refused by the record')
    return { kind: 'done' }
  }
  const found = await deps.find(started.job.destination)
  if (found.kind !== 'known') return record(deps, started, withoutDestination(deps, started, found.kind))
  const { destination } = found
  const terms = deliveryTerms(destination, started.job, deps.defaults)
  if (!(await holdsLongEnough(deps, started, owner, terms))) return { kind: 'done' }
  const as = await decide(deps, started, destination, terms)
  const afterwards = await record(deps, started, as)
  if (as.attempt?.statusCode === gone && !isEnvironments(destination)) await disable(deps, destination)
  return afterwards
}

/** Until when is told by Redis' clock: to a process whose own is ahead it may be over, and it would ask on and on. */
const notBefore = (now: number, until: number) => (until > now ? until : now + shortestWaitMs)

function withoutDestination(deps: DeliverDeps, begun: Begun, why: 'gone' | 'unknown'): FinishAs {
  // Nothing is known of the receiver, so nothing counts against the job.
  if (why === 'unknown') return { status: 'RETRYING', delayMs: lookAgainMs(begun), uncounted: true }
  return giveUp(deps, begun, 'DESTINATION_GONE', `there is no destination ${begun.job.destination}`)
}

const giveUp = (deps: DeliverDeps, begun: Begun, reason: string, error: string): FinishAs => ({
  status: 'FAILED',
  failure: failureWithoutAttempt(begun, reason, error, deps.now()),
  uncounted: true,
})

/**
 * The lease was taken before the record told which destination it is for: one that may take longer than others needs a longer one.
 * False when the job is not this worker's any more.
 */
async function holdsLongEnough(
  deps: DeliverDeps,
  { job }: Begun,
  owner: string,
  { timeoutMs }: DeliveryTerms,
) {
  if (timeoutMs <= deps.defaults.timeoutMs) return true
  const renewed = await deps.transitions.start(job.n, job.round, owner, timeoutMs + deps.leaseMarginMs)
  return renewed.kind === 'started'
}

/** Sends, unless that makes no sense any more, and says what the record becomes. */
async function decide(
  deps: DeliverDeps,
  begun: Begun,
  destination: Destination,
  terms: DeliveryTerms,
): Promise<FinishAs> {
  const { policy, timeoutMs, deadlineAt, blockMs } = terms
  if (deadlineAt !== null && (begun.isLate || deps.now() >= deadlineAt)) {
    const error = `not delivered by its deadline, ${new Date(deadlineAt).toISOString()}`
    return giveUp(deps, begun, 'DEADLINE', error)
  }
  if (!destination.active) return { status: 'HELD', uncounted: true }
  // Whatever this job does to its workers, it does not do it for ever.
  if (begun.lost > policy.scheduleMs.length) {
    return giveUp(deps, begun, 'WORKER_LOST', `${begun.lost} workers that had the job never came back`)
  }
  const request = deliveryRequest(destination, begun.job, begun.body, begun.attempt, deps.now())
  const limits = { timeoutMs, signal: deps.aborted }
  const send = (traced: DeliveryRequest) => attempt(deps.clientFor(destination), traced, limits)
  const result = await (deps.trace?.(begun, request, send) ?? send(request))
  // That this process stops says nothing about the receiver: another one goes on at once.
  const isBrokenOff = deps.aborted.aborted && result.outcome.kind === 'unanswered'
  if (isBrokenOff)
    return { ...finishAs(deps, begun, result, { do: 'retry', delayMs: 0 }), uncounted: true, class: 'none' }
  const now = deps.now()
  const elapsedMs = now - begun.firstAttemptAt - begun.heldMs
  // The last attempt begins early enough to be over by the deadline.
  const leftMs = deadlineAt === null ? undefined : deadlineAt - timeoutMs - now
  const step = nextStep(policy, begun.attemptInRound, result.outcome, elapsedMs, leftMs)
  return finishAs(deps, begun, result, begun.isOrdered ? withinBlock(step, blockMs - elapsedMs) : step)
}

function finishAs(deps: DeliverDeps, begun: Begun, result: AttemptResult, step: NextStep): FinishAs {
  // What becomes of Gancho's own events is to make no further ones.
  const of = isOperational(begun.job.eventType) ? 'none' : outcomeClass(result.outcome)
  if (step.do === 'done')
    return { status: 'DELIVERED', attempt: attemptRecord(begun, result, 'DELIVERED'), class: of }
  if (step.do === 'retry') {
    const attempt = attemptRecord(begun, result, 'RETRY')
    return { status: 'RETRYING', delayMs: step.delayMs, attempt, class: of }
  }
  const attempt = attemptRecord(begun, result, 'FAILED')
  return { status: 'FAILED', failure: failureOf(begun, attempt, step.why, deps.now()), attempt, class: of }
}

async function record(deps: DeliverDeps, begun: Begun, as: FinishAs): Promise<Afterwards> {
  const { n, round } = begun.job
  const finished = await deps.transitions.finish(n, begun.start, as)
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
  const level =
    finished.status === 'FAILED' ? 'warn' : finished.status === 'RETRYING' && sent ? 'info' : 'debug'
  deps.log[level](
    { job: jobId(n), round, attempt: begun.attempt, status: finished.status, statusCode, error },
    'delivery attempt',
  )
  if (finished.status === 'HELD') return { kind: 'back', why: 'OUT_OF_SERVICE', until: 0 }
  if (finished.status === 'RETRYING') return { kind: 'later', at: finished.nextAttemptAt }
  if (finished.status === 'FAILED' && as.failure) await rest(deps, begun.job, as.failure)
  return { kind: 'done' }
}

async function rest(deps: DeliverDeps, job: JobInHand, failure: Failure): Promise<void> {
  await deps.errorQueue.add(job, failure)
  await deps.transitions.settle(job.n, job.round)
}

/** The outcome is recorded already: what fails here is done at the next 410. */
async function disable(deps: DeliverDeps, destination: Destination): Promise<void> {
  try {
    await deps.disable(destination, 'it answered 410 Gone')
  } catch (err) {
    deps.log.error({ err, destination: destination.id }, 'destination answered 410 and could not be disabled')
  }
}
