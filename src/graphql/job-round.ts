import type { Job, JobRound } from '../events/job.ts'
import type { Principal } from '../tenants/principal.ts'
import { builder } from './builder.ts'

const RoundTrigger = builder.enumType('RoundTrigger', {
  values: {
    INITIAL: { description: 'The event came.' },
    MANUAL: { description: 'Somebody had the job queued again.' },
    BULK: { description: 'Somebody had many jobs queued again, this one among them.' },
    REPORTED: { description: 'Downstream reported that it could do nothing with it.' },
  } as const,
})

const RoundOutcome = builder.enumType('RoundOutcome', {
  values: {
    OPEN: { description: 'It is not over.' },
    DELIVERED: {},
    FAILED: {},
    DISCARDED: {},
  } as const,
})

type Round = Pick<JobRound, 'number' | 'startedAt' | 'audit'> & {
  outcome: 'OPEN' | 'DELIVERED' | 'FAILED' | 'DISCARDED' | null
}

const ended = new Set<string>(['DELIVERED', 'FAILED', 'DISCARDED'])

/** The first round, and those after it that are known, in order. */
export function roundsOf(job: Job, later: readonly JobRound[]): Round[] {
  const outcomeOf = (number: number) => {
    if (number < job.round) return later.find((round) => round.number === number + 1)?.previous ?? null
    return ended.has(job.status) ? (job.status as NonNullable<Round['outcome']>) : 'OPEN'
  }
  const first = { number: 0, startedAt: job.receivedAt, audit: null }
  return [first, ...later].map((round) => ({ ...round, outcome: outcomeOf(round.number) }))
}

/** Tenants learn that an administrator did it, and not which. */
function requestedBy({ audit }: Round, principal: Principal): string | null {
  if (!audit) return null
  const { kind, name } = audit.by
  return kind === 'admin' && principal.kind !== 'admin' ? kind : `${kind}:${name}`
}

export const JobRoundRef = builder.objectRef<Round>('JobRound').implement({
  description: 'From being queued to an end: one with each reprocessing.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: '0 for the first delivery.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    trigger: t.field({
      type: RoundTrigger,
      nullable: true,
      description: 'Null when it is not known any more.',
      resolve: ({ number, audit }) => (number === 0 ? 'INITIAL' : (audit?.trigger ?? null)),
    }),
    requestedBy: t.string({
      nullable: true,
      description:
        '`tenant:<CNPJ>` or `admin:<name of the token>`, for tenants `admin` alone. Null for the first round.',
      resolve: (round, _args, { principal }) => requestedBy(round, principal),
    }),
    reason: t.string({
      nullable: true,
      description: 'What who asked gave for it, or what downstream reported.',
      resolve: ({ audit }) => audit?.reason ?? null,
    }),
    bulkId: t.id({
      nullable: true,
      description: 'The bulk that the job was part of.',
      resolve: ({ audit }) => audit?.bulk ?? null,
    }),
    outcome: t.expose('outcome', {
      type: RoundOutcome,
      nullable: true,
      description: 'Null when it is not known any more.',
    }),
  }),
})
