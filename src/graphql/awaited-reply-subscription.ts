import { GanchoError } from '../errors.ts'
import type { AwaitedReply } from '../sync/awaited-reply.ts'
import { AwaitedReplyRef, findAwaitedReply } from './awaited-reply.ts'
import { builder } from './builder.ts'

builder.subscriptionField('awaitedReply', (t) =>
  t.field({
    type: AwaitedReplyRef,
    description: 'As it is now, and again with each change; ends after the reply.',
    args: { id: t.arg.id({ required: true }) },
    subscribe: async (_root, { id }, context) => {
      const found = await findAwaitedReply(id, context)
      if (!found) throw new GanchoError('NOT_FOUND', 'There is no such awaited reply.')
      return context.services.correlator.updates.of({ cnpj: found.cnpj, id })
    },
    resolve: (update) => update as AwaitedReply,
  }),
)
