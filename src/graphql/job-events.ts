import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { jobId, type JobStatus as Status } from '../events/job.ts'
import { jobNumber, maySee } from '../history/visible-jobs.ts'
import type { JournalPosition } from '../journal/cursor.ts'
import { gapReasons, type JournalItem } from '../journal/journal-read.ts'
import type { Principal } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { JobRef } from './job.ts'
import { JobEventSource, type JobEventWish } from './job-event-source.ts'
import { JobStatus } from './job-filter.ts'

type Change = Extract<JournalItem, { kind: 'entry' }>
type Gap = Extract<JournalItem, { kind: 'gap' }>

const JobStatusChanged = builder.objectRef<Change>('JobStatusChanged').implement({
  description: 'One change of one job, as it was written down when it happened.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: 'Resume `after` it to get what follows.',
      resolve: ({ position }) => position,
    }),
    jobId: t.id({ resolve: ({ entry }) => jobId(entry.n) }),
    job: t.field({
      type: JobRef,
      nullable: true,
      description: 'As it is by now, which may be further than this change; null when it is removed.',
      resolve: ({ entry }, _args, { loaders }) => loaders.job.load(entry.n),
    }),
    status: t.field({ type: JobStatus, resolve: ({ entry }) => entry.status as Status }),
    previousStatus: t.field({
      type: JobStatus,
      nullable: true,
      description: 'Null for the first change of a job.',
      resolve: ({ entry }) => entry.previous as Status | null,
    }),
    attempt: t.int({
      nullable: true,
      description: 'Number of the last attempt begun by then; null before the first.',
      resolve: ({ entry }) => entry.attempts || null,
    }),
    at: t.field({ type: 'DateTime', resolve: ({ entry }) => entry.at }),
  }),
})

const JobEventsGap = builder.objectRef<Gap>('JobEventsGap').implement({
  description:
    'Changes are missing here: reload what you show. The stream goes on with the oldest change that is still kept.',
  fields: (t) => ({
    cursor: t.field({ type: 'Cursor', resolve: ({ position }) => position }),
    reason: t.exposeString('reason', {
      description: Object.entries(gapReasons)
        .map(([reason, meaning]) => `\`${reason}\`: ${meaning}.`)
        .join('\n'),
    }),
  }),
})

const JobEventMessage = builder.unionType('JobEventMessage', {
  types: [JobStatusChanged, JobEventsGap],
  resolveType: ({ kind }) => (kind === 'gap' ? JobEventsGap : JobStatusChanged),
})

const maxIds = 1_000
/** There are fewer. Each list is read again for each event. */
const maxStatuses = 20

const JobEventFilter = builder.inputType('JobEventFilter', {
  description: 'All that is given must hold; an empty list matches nothing.',
  fields: (t) => ({
    ids: t.idList({ validate: z.array(z.string()).max(maxIds, `ids takes at most ${maxIds}`).nullish() }),
    cnpj: t.field({ type: 'CNPJ' }),
    queue: t.string(),
    statuses: t.field({
      type: [JobStatus],
      description: 'Those that jobs change to.',
      validate: z.array(z.string()).max(maxStatuses, `statuses takes at most ${maxStatuses}`).nullish(),
    }),
    eventType: t.string(),
  }),
})

type Given = {
  ids?: readonly string[] | null | undefined
  cnpj?: string | null | undefined
  queue?: string | null | undefined
  statuses?: readonly Status[] | null | undefined
  eventType?: string | null | undefined
}

/** @throws GanchoError FORBIDDEN for a tenant that asks for another one's */
function wishOf(given: Given, principal: Principal): JobEventWish {
  const { ids, cnpj, queue, statuses, eventType } = given
  if (cnpj != null && !maySee(principal, cnpj)) throw new GanchoError('FORBIDDEN')
  const numbers = ids && new Set(ids.map(jobNumber))
  const wanted = statuses && new Set<string>(statuses)
  return {
    cnpj: principal.kind === 'tenant' ? principal.tenant.cnpj : (cnpj ?? null),
    owner: principal.kind === 'tenant' ? principal.tenant.cnpj : undefined,
    matches: (entry) =>
      (!numbers || numbers.has(entry.n)) &&
      (!wanted || wanted.has(entry.status)) &&
      (queue == null || entry.queue === queue) &&
      (eventType == null || entry.eventType === eventType),
  }
}

builder.subscriptionField('jobEvents', (t) =>
  t.field({
    type: JobEventMessage,
    description:
      'Every change of every job that the token may see, in the order in which they happened. Whoever resumes `after` the last cursor misses nothing and gets nothing twice.',
    args: {
      filter: t.arg({ type: JobEventFilter }),
      after: t.arg({
        type: 'Cursor',
        description: 'Without it, the stream begins with what happens from now on.',
      }),
    },
    subscribe: async (_root, { filter, after }, { principal, services }) => {
      const wish = wishOf(filter ?? {}, principal)
      // Settled before the subscription answers: what happens from then on is not missed, however late it is read.
      const from: JournalPosition = after ?? (await services.liveJournal.end())
      return new JobEventSource(services.liveJournal, wish, from)
    },
    resolve: (item) => item,
  }),
)
