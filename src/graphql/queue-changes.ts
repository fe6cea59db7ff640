import { GanchoError } from '../errors.ts'
import { requesterOf } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { BulkRef } from './bulk.ts'
import type { GraphqlContext } from './context.ts'
import { QueueRef } from './queue.ts'

const authScopes = { admin: true }

/** The queue as it is after a change in this request. */
function changed(name: string, { loaders }: GraphqlContext): { name: string } {
  loaders.queueCounts.clear(name)
  loaders.queuePause.clearAll()
  return { name }
}

builder.mutationFields((t) => ({
  pauseQueue: t.field({
    type: QueueRef,
    description:
      'Has all workers take nothing more from the queue until it is resumed, restarts included. What is under way is finished, and events are accepted.',
    authScopes,
    args: { name: t.arg.string({ required: true }) },
    resolve: async (_root, { name }, context) => {
      const { name: by } = requesterOf(context.principal)
      await context.services.queuePauses.pause(name, { at: Date.now(), by })
      return changed(name, context)
    },
  }),
  resumeQueue: t.field({
    type: QueueRef,
    description: 'Ends a pause.',
    authScopes,
    args: { name: t.arg.string({ required: true }) },
    resolve: async (_root, { name }, context) => {
      await context.services.queuePauses.resume(name)
      return changed(name, context)
    },
  }),
  drainQueue: t.field({
    type: BulkRef,
    description:
      'Discards every job that waits in the queue by now, for good. What is under way or failed is left. Workers see to it: see `bulkReprocess`.',
    authScopes,
    args: {
      name: t.arg.string({ required: true }),
      confirm: t.arg.string({ required: true, description: 'The name of the queue once more.' }),
    },
    resolve: async (_root, { name, confirm }, { services, principal }) => {
      services.lanes.get(name)
      if (confirm !== name)
        throw new GanchoError('BAD_REQUEST', `Say confirm: "${name}" to discard what waits in this queue.`)
      return services.bulks.service.drain(name, requesterOf(principal))
    },
  }),
}))
