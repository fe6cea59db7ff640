import { GanchoError } from '../errors.ts'
import { type Job, jobId, type RoundAudit } from '../events/job.ts'
import type { Lanes } from '../events/lanes.ts'
import type { Requeued, RequeueRefusal, RequeueRequest, Transitions } from '../events/transitions.ts'
import type { ErrorQueue } from './error-queue.ts'

/** Finds jobs whose record is gone, because they are finished. */
export interface FinishedJobs {
  snapshot(n: number): Promise<{ job: Job; body: Buffer } | null>
}

export type ReprocessRequest = {
  n: number
  round?: number | undefined
  report?: string | undefined
  audit?: RoundAudit | undefined
}

export type ReprocessOutcome = { kind: 'requeued' } | { kind: 'skipped'; reason: RequeueRefusal }

export type Reprocess = {
  /**
   * Queues a FAILED or DELIVERED job for another round.
   * @throws GanchoError JOB_NOT_FOUND
   */
  reprocess(request: ReprocessRequest): Promise<ReprocessOutcome>
  /**
   * Takes a job that is not delivered out of the way for good.
   * @throws GanchoError JOB_NOT_FOUND or JOB_STATE_CONFLICT
   */
  discard(n: number): Promise<void>
  /** Takes a job out of the way that waits to be delivered; skipped otherwise, with its status. */
  discardWaiting(n: number): Promise<{ kind: 'discarded' } | { kind: 'skipped'; reason: string }>
}

type Deps = {
  transitions: Transitions
  lanes: Lanes
  errorQueue: ErrorQueue
  finished: FinishedJobs
  maxRounds: number
  /** Whether this destination delivers the jobs of an ordering key one after the other. */
  keepsOrder: (destination: string) => boolean
}

/** A record can come and go between a look and the change that follows; more than a few times in a row does not happen. */
const maxLooks = 3

export function createReprocess(deps: Deps): Reprocess {
  const { transitions, lanes, errorQueue } = deps

  const requeue = async (request: RequeueRequest): Promise<Requeued> => {
    let requeued = await transitions.requeue(request)
    for (let look = 0; requeued.kind === 'missing' && look < maxLooks; look += 1) {
      const snapshot = await deps.finished.snapshot(request.n)
      if (!snapshot) break
      const isOrdered = deps.keepsOrder(snapshot.job.destination)
      requeued = await transitions.requeue({ ...request, snapshot, isOrdered })
    }
    return requeued
  }

  return {
    async reprocess(request) {
      const { n } = request
      const requeued = await requeue({ ...request, maxRounds: deps.maxRounds })
      if (requeued.kind === 'missing') throw notFound(n)
      if (requeued.kind === 'refused') return { kind: 'skipped', reason: requeued.reason }
      if (requeued.kind === 'requeued') {
        await errorQueue.remove(requeued.queue, n, requeued.previousRound)
      }
      return { kind: 'requeued' }
    },
    async discard(n) {
      const discarded = await transitions.discard(n)
      if (discarded.kind === 'missing') throw await whyNotDiscard(deps.finished, n)
      if (discarded.kind === 'refused') throw conflict(n, discarded.status)
      await lanes.remove({ n, ...discarded })
      await errorQueue.remove(discarded.queue, n, discarded.round)
    },
    async discardWaiting(n) {
      const discarded = await transitions.discardWaiting(n)
      // History has it, so its record is gone because it was over.
      if (discarded.kind === 'missing') return { kind: 'skipped', reason: 'CHANGED' }
      if (discarded.kind === 'refused') return { kind: 'skipped', reason: discarded.status }
      await lanes.remove({ n, ...discarded })
      return { kind: 'discarded' }
    },
  }
}

const notFound = (n: number) => new GanchoError('JOB_NOT_FOUND', `There is no job ${jobId(n)}.`)

const conflict = (n: number, status: string) =>
  new GanchoError('JOB_STATE_CONFLICT', `Job ${jobId(n)} is ${status} and cannot be discarded.`)

async function whyNotDiscard(finished: FinishedJobs, n: number): Promise<GanchoError> {
  const snapshot = await finished.snapshot(n)
  return snapshot ? conflict(n, snapshot.job.status) : notFound(n)
}
