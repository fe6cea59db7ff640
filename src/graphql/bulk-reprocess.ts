import { z } from 'zod'
import type { Bulk } from '../bulk/bulk.ts'
import { defaultRatePerSecond, maxRatePerSecond, type Preview } from '../bulk/bulk-service.ts'
import { visibleJobs } from '../history/visible-jobs.ts'
import { requesterOf } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { BulkRef, findBulk, requireBulk, runningBulks } from './bulk.ts'
import { JobRef } from './job.ts'
import { JobFilter } from './job-filter.ts'

const PreviewRef = builder.objectRef<Preview>('ReprocessPreview').implement({
  description: 'What `commitReprocess` would queue again.',
  fields: (t) => ({
    count: t.exposeInt('count'),
    hasMore: t.exposeBoolean('hasMore', { description: 'Whether there are more than one bulk takes.' }),
    sample: t.expose('sample', { type: [JobRef], description: 'The oldest of them.' }),
    oldestAt: t.expose('oldestAt', { type: 'DateTime', nullable: true }),
    token: t.exposeString('token', { description: 'For `commitReprocess`, by the same caller.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
})

const rate = z
  .int()
  .min(1, 'ratePerSecond is at least 1')
  .max(maxRatePerSecond, `ratePerSecond is at most ${maxRatePerSecond}`)
const reason = z.string().max(1_000, 'reason has at most 1,000 characters')

builder.mutationFields((t) => ({
  previewReprocess: t.field({
    type: PreviewRef,
    description:
      'Shows which jobs would be queued again, and changes nothing. Those that FAILED, unless `statuses` names DELIVERED.',
    args: { filter: t.arg({ type: JobFilter, required: true }) },
    resolve: (_root, { filter }, { services, principal }) =>
      services.bulks.service.preview(visibleJobs(filter, principal), requesterOf(principal)),
  }),
  commitReprocess: t.field({
    type: BulkRef,
    description: 'Begins what the preview has shown. The same token begins it once.',
    args: {
      token: t.arg.string({ required: true }),
      ratePerSecond: t.arg.int({ defaultValue: defaultRatePerSecond, validate: rate.nullish() }),
      reason: t.arg.string({ description: 'Kept with each of the jobs.', validate: reason.nullish() }),
    },
    resolve: (_root, { token, ratePerSecond, reason }, { services, principal }) =>
      services.bulks.service.commit(token, requesterOf(principal), {
        ratePerSecond: ratePerSecond ?? undefined,
        reason: reason ?? undefined,
      }),
  }),
  cancelReprocess: t.field({
    type: BulkRef,
    description: 'Has it stop after the few jobs that are in hand. What was queued again stays so.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      await requireBulk(id, context)
      return context.services.bulks.service.cancel(id)
    },
  }),
}))

builder.queryField('bulkReprocess', (t) =>
  t.field({
    type: BulkRef,
    nullable: true,
    description: 'Until the retention time after its end.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => findBulk(id, context),
  }),
)

builder.queryField('bulkReprocesses', (t) =>
  t.field({
    type: [BulkRef],
    description: 'Those that are not over, the oldest first.',
    resolve: (_root, _args, context) => runningBulks(context),
  }),
)

builder.subscriptionField('bulkReprocess', (t) =>
  t.field({
    type: BulkRef,
    description: 'As it is now, and again as it goes on; ends with it.',
    args: { id: t.arg.id({ required: true }) },
    subscribe: async (_root, { id }, context) => {
      await requireBulk(id, context)
      return context.services.bulks.updates.of({ topic: '', id })
    },
    resolve: (bulk) => bulk as Bulk,
  }),
)
