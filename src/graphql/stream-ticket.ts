import type { StreamTicket } from '../tenants/stream-tickets.ts'
import { builder } from './builder.ts'

const StreamTicketRef = builder.objectRef<StreamTicket>('StreamTicket').implement({
  description:
    'Opens event streams in place of a token: `GET /graphql?ticket=…&query=subscription…`, for browsers’ EventSource.',
  fields: (t) => ({
    ticket: t.exposeString('ticket'),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'Streams that it opened renew it for as long as they are open.',
    }),
  }),
})

builder.mutationField('createStreamTicket', (t) =>
  t.field({
    type: StreamTicketRef,
    // It allows nothing that the token does not: also for administrators who may only read.
    skipTypeScopes: true,
    description: 'It may see what the token sees that makes it, and ends with that token.',
    resolve: async (_root, _args, { services, identify }) => services.streamTickets.create(await identify()),
  }),
)
