import { type Job, jobId } from '../events/job.ts'
import { AttemptRef, FailureRef } from './attempt.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { bodyCost } from './field-cost.ts'
import { findJob } from './job-access.ts'
import { bodyPayload, bodyText } from './job-body.ts'
import { JobStatus } from './job-filter.ts'
import { JobRoundRef, roundsOf } from './job-round.ts'
import type { ListedJob } from './listed-job.ts'
import { QueueRef } from './queue.ts'
import { TenantRef, tenantOfJob } from './tenant.ts'

const loadBody = (job: Job, { loaders }: GraphqlContext) => loaders.body.load(job.n)

export const JobRef = builder.objectRef<ListedJob>('Job')

builder.node(JobRef, {
  description: 'One event on its way to one destination.',
  id: { resolve: ({ n }) => jobId(n) },
  // Our loaders keep what they read, and what Pothos keeps it forgets to mark with its type when two fields ask at once.
  loadWithoutCache: (id, context) => findJob(id, context),
  fields: (t) => ({
    eventId: t.exposeID('eventId', { description: 'Shared by the jobs of one event.' }),
    correlationId: t.exposeString('correlationId', { nullable: true }),
    eventType: t.exposeString('eventType', { nullable: true }),
    destinationId: t.exposeID('destination'),
    status: t.expose('status', { type: JobStatus }),
    attemptCount: t.exposeInt('attempts', { description: 'Over all rounds, the one under way included.' }),
    reprocessCount: t.exposeInt('round', { description: 'How often it was queued again.' }),
    failure: t.expose('failure', { type: FailureRef, nullable: true }),
    reported: t.exposeString('reported', {
      nullable: true,
      description: 'What downstream reported, when that is why it was queued again.',
    }),
    headers: t.expose('headers', {
      type: 'JSON',
      nullable: true,
      description: "The sender's, without credentials.",
    }),
    receivedAt: t.expose('receivedAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    nextAttemptAt: t.expose('nextAttemptAt', { type: 'DateTime', nullable: true }),
    deliveredAt: t.expose('deliveredAt', { type: 'DateTime', nullable: true }),
    queue: t.field({ type: QueueRef, resolve: ({ queue }) => ({ name: queue }) }),
    tenant: t.field({
      type: TenantRef,
      resolve: ({ cnpj, listed }, _args, { loaders }) =>
        listed?.tenant === undefined
          ? loaders.tenant.load(cnpj).then((tenant) => tenantOfJob(cnpj, tenant))
          : tenantOfJob(cnpj, listed.tenant),
    }),
    attempts: t.field({
      type: [AttemptRef],
      description: 'In their order; one that is under way is not among them yet.',
      resolve: ({ n, listed }, _args, { loaders }) => listed?.attempts ?? loaders.attempts.load(n),
    }),
    rounds: t.field({
      type: [JobRoundRef],
      description: 'Its deliveries from first to last: who had it queued again, why, and what came of it.',
      resolve: async (job, _args, { loaders }) => roundsOf(job, await loaders.rounds.load(job.n)),
    }),
    body: t.string({
      nullable: true,
      complexity: bodyCost,
      description: 'As it came; null when it is not UTF-8 text.',
      resolve: async (job, _args, context) => bodyText(await loadBody(job, context)),
    }),
    payload: t.field({
      type: 'JSON',
      nullable: true,
      complexity: bodyCost,
      description:
        'The body as JSON; null when it is none. Numbers beyond 2^53 lose digits here, not in `body`.',
      resolve: async (job, _args, context) => bodyPayload(await loadBody(job, context), job.contentType),
    }),
  }),
})
