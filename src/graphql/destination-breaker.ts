import type { BreakerView } from '../delivery/gates.ts'
import { GanchoError } from '../errors.ts'
import { builder } from './builder.ts'
import { DestinationRef, findDestination } from './destination.ts'

const BreakerStateEnum = builder.enumType('BreakerState', {
  values: {
    CLOSED: { description: 'Deliveries go on.' },
    OPEN: { description: 'So much failed that its jobs are held until probesAt.' },
    HALF_OPEN: { description: 'Few jobs at a time are tried: the first that is delivered closes it.' },
    CLOSING: { description: 'Deliveries go on, for some time few at a time.' },
  } as const,
})

const BreakerRef = builder.objectRef<BreakerView>('DestinationBreaker').implement({
  description: 'Keeps jobs back while a destination fails, so that none of their attempts is spent on it.',
  fields: (t) => ({
    state: t.expose('state', { type: BreakerStateEnum }),
    failureRate: t.exposeFloat('failureRate', {
      nullable: true,
      description:
        'From 0 to 1: of the last minute, or at which it opened. Null where nothing was attempted.',
    }),
    openedAt: t.expose('openedAt', { type: 'DateTime', nullable: true }),
    probesAt: t.expose('probesAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again, or since when it is.',
    }),
  }),
})

builder.objectField(DestinationRef, 'breaker', (t) =>
  t.field({
    type: BreakerRef,
    resolve: async ({ id }, _args, { loaders }) => (await loaders.gate.load(id)).breaker,
  }),
)

builder.mutationField('resetBreaker', (t) =>
  t.field({
    type: DestinationRef,
    description: 'Closes its breaker: its jobs go on at once, few at a time at first.',
    args: { destination: t.arg.id({ required: true }) },
    resolve: async (_root, { destination: id }, context) => {
      const destination = await findDestination(id, context)
      if (!destination) throw new GanchoError('DESTINATION_NOT_FOUND')
      await context.services.gates.reset(id)
      return destination
    },
  }),
)
