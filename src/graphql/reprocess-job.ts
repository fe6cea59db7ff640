import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import type { RequeueRefusal } from '../events/transitions.ts'
import { requesterOf } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { JobRef } from './job.ts'
import { changedJob, requireJob } from './job-access.ts'

/** The refusal as the error that callers see; `details.reason` says which of the conflicts it is. */
function refused(id: string, reason: RequeueRefusal): GanchoError {
  const details = { reason }
  if (reason === 'ALREADY_REQUEUED' || reason === 'REPROCESS_LIMIT')
    return new GanchoError(reason, undefined, { details })
  const why = {
    ALREADY_QUEUED: 'queued',
    DELIVERING: 'being delivered',
    DISCARDED: 'discarded',
    OTHER_ROUND: 'in another round',
  }
  return new GanchoError('JOB_STATE_CONFLICT', `Job ${id} is ${why[reason]} and cannot be queued again.`, {
    details,
  })
}

const reason = z.string().max(1_000, 'reason has at most 1,000 characters')

builder.mutationFields((t) => ({
  reprocessJob: t.field({
    type: JobRef,
    description: 'Queues a job that failed or was delivered for another round.',
    args: {
      id: t.arg.id({ required: true }),
      reason: t.arg.string({ description: 'Kept with its new round.', validate: reason.nullish() }),
    },
    resolve: async (_root, { id, reason }, context) => {
      const { n } = await requireJob(id, context)
      const by = requesterOf(context.principal)
      const audit = { trigger: 'MANUAL', by, reason: reason ?? null } as const
      const outcome = await context.services.reprocess.reprocess({ n, audit })
      if (outcome.kind === 'skipped') throw refused(id, outcome.reason)
      return changedJob(id, n, context)
    },
  }),
  discardJob: t.field({
    type: JobRef,
    description: 'Takes a job that is not delivered out of the way for good.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      const { n } = await requireJob(id, context)
      await context.services.reprocess.discard(n)
      return changedJob(id, n, context)
    },
  }),
}))
