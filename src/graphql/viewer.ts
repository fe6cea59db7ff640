import { waitingRepliesOf } from '../sync/call-and-await.ts'
import { maxBodyBytesOf, maxSubscriptionsOf, rateLimitOf } from '../tenants/limits.ts'
import { mayWrite, type Principal } from '../tenants/principal.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { TenantRef } from './tenant.ts'

const ViewerAccess = builder.enumType('ViewerAccess', {
  description: 'READ may look at everything, and change nothing.',
  values: ['FULL', 'READ'] as const,
})
const ViewerKind = builder.enumType('ViewerKind', { values: ['ADMIN', 'TENANT'] as const })

type Limit = { name: string; used: number | null; max: number }

const LimitRef = builder.objectRef<Limit>('Limit').implement({
  fields: (t) => ({
    name: t.exposeString('name', {
      description:
        '`requestsPerSecond`: events, counted in the burst that may come at once; `maxBodyBytes`: size of one event; `waitingReplies`: calls that wait for their reply; `subscriptions`: at a time. Both are counted on all instances.',
    }),
    used: t.exposeInt('used', { nullable: true, description: 'Now; null where nothing is used up.' }),
    max: t.exposeInt('max'),
  }),
})

async function limitsOf(tenant: Tenant, { services, maxEventBytes }: GraphqlContext): Promise<Limit[]> {
  const size = { name: 'maxBodyBytes', used: null, max: maxBodyBytesOf(tenant, maxEventBytes) }
  const waiting = {
    name: 'waitingReplies',
    used: await services.correlator.awaited.waiting(tenant.cnpj),
    max: waitingRepliesOf(tenant),
  }
  const open = await services.streamPlaces.used(tenant.cnpj)
  const subscriptions = { name: 'subscriptions', used: open, max: maxSubscriptionsOf(tenant) }
  const rate = rateLimitOf(tenant)
  if (!rate) return [size, waiting, subscriptions]
  const used = await services.spentOfBurst(tenant.cnpj, rate)
  return [{ name: 'requestsPerSecond', used, max: rate.burst }, size, waiting, subscriptions]
}

const Viewer = builder.objectRef<Principal>('Viewer').implement({
  description: 'Whoever the token stands for.',
  fields: (t) => ({
    kind: t.field({ type: ViewerKind, resolve: ({ kind }) => (kind === 'admin' ? 'ADMIN' : 'TENANT') }),
    name: t.string({
      description: 'Of the tenant, or of the administrator’s token.',
      resolve: (principal) => (principal.kind === 'admin' ? principal.name : principal.tenant.name),
    }),
    access: t.field({
      type: ViewerAccess,
      resolve: (principal) => (mayWrite(principal) ? 'FULL' : 'READ'),
    }),
    tenant: t.field({
      type: TenantRef,
      nullable: true,
      description: 'Null for an administrator.',
      resolve: (principal) => (principal.kind === 'tenant' ? principal.tenant : null),
    }),
    limits: t.field({
      type: [LimitRef],
      description: 'What a tenant is bound to; nothing for an administrator.',
      resolve: (principal, _args, context) =>
        principal.kind === 'tenant' ? limitsOf(principal.tenant, context) : [],
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({ type: Viewer, resolve: (_root, _args, { principal }) => principal }),
)
