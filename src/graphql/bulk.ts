import { type Bulk, bulkActions, bulkStatuses } from '../bulk/bulk.ts'
import { GanchoError } from '../errors.ts'
import type { Principal } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'

const BulkStatus = builder.enumType('BulkStatus', {
  description: 'CANCELLED and COMPLETED are final.',
  values: bulkStatuses,
})
const BulkAction = builder.enumType('BulkAction', {
  description: 'REPROCESS: queue again. DISCARD: take out of the way what waits.',
  values: bulkActions,
})

const SkippedRef = builder.objectRef<{ reason: string; count: number }>('SkippedJobs').implement({
  description: 'Jobs that were left as they are.',
  fields: (t) => ({
    reason: t.exposeString('reason', {
      description:
        'CHANGED: since the preview, so that they do not match any more. Others as of `reprocessJob`.',
    }),
    count: t.exposeInt('count'),
  }),
})

export const BulkRef = builder.objectRef<Bulk>('BulkReprocess').implement({
  description:
    'Many jobs on their way to another round. Workers see to it; it goes on where it was, whatever stops.',
  fields: (t) => ({
    id: t.exposeID('id'),
    action: t.expose('action', { type: BulkAction }),
    status: t.expose('status', { type: BulkStatus }),
    total: t.exposeInt('total', { description: 'How many matched; no more than these are touched.' }),
    done: t.exposeInt('done', { description: 'Queued again, or discarded, so far.' }),
    skipped: t.field({
      type: [SkippedRef],
      resolve: ({ skipped }) => Object.entries(skipped).map(([reason, count]) => ({ reason, count })),
    }),
    ratePerSecond: t.exposeInt('ratePerSecond', { description: 'At most so many are begun a second.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why, as whoever began it said.' }),
    createdBy: t.string({
      description: 'The name of an administrator, or the CNPJ of a tenant.',
      resolve: ({ by }) => by.name,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Null while anything is still being done.',
    }),
  }),
})

const maySee = (principal: Principal, { by }: Bulk) =>
  principal.kind === 'admin' || (by.kind === 'tenant' && by.name === principal.tenant.cnpj)

/** Null for one that the principal may not see, as for one that is not there. */
export async function findBulk(id: string, { services, principal }: GraphqlContext): Promise<Bulk | null> {
  const bulk = /^bulk_[\w-]{22}$/.test(id) ? await services.bulks.service.find(id) : null
  return bulk && maySee(principal, bulk) ? bulk : null
}

/** Those that are not over, as far as the principal may see them. */
export async function runningBulks({ services, principal }: GraphqlContext): Promise<Bulk[]> {
  return (await services.bulks.service.running()).filter((bulk) => maySee(principal, bulk))
}

/** @throws GanchoError BULK_NOT_FOUND, the same for one that the principal may not see and for one that is not there */
export async function requireBulk(id: string, context: GraphqlContext): Promise<Bulk> {
  const bulk = await findBulk(id, context)
  if (!bulk) throw new GanchoError('BULK_NOT_FOUND')
  return bulk
}
