import { maySee } from '../history/visible-jobs.ts'
import type { Tenant } from '../tenants/tenant.ts'
import { checkedSearch, searchable, searchTextOf } from '../tenants/tenant-search.ts'
import type { TenantsFilter } from '../tenants/tenant-store.ts'
import { builder } from './builder.ts'
import { keysetConnection, maxCount } from './connection.ts'
import type { GraphqlContext } from './context.ts'
import type { GraphqlServices } from './services.ts'

/** A tenant, or what is left of one that was deleted: its CNPJ. */
type TenantView = Pick<Tenant, 'cnpj' | 'name' | 'active'> & {
  settings?: Tenant['settings']
  createdAt: number | null
  updatedAt: number | null
}

/** Jobs outlive their tenant, and each still has one to show. */
export function tenantOfJob(cnpj: string, tenant: Tenant | null): TenantView {
  return tenant ?? { cnpj, name: '', active: false, createdAt: null, updatedAt: null }
}

function findTenant(cnpj: string, { principal, loaders }: GraphqlContext): Promise<Tenant | null> | null {
  return maySee(principal, cnpj) ? loaders.tenant.load(cnpj) : null
}

export const TenantRef = builder.objectRef<TenantView>('Tenant')

builder.node(TenantRef, {
  description: 'A client of the platform. One that was deleted has no name, is not active, and has no times.',
  id: { resolve: ({ cnpj }) => cnpj },
  loadWithoutCache: (cnpj, context) => findTenant(cnpj, context),
  fields: (t) => ({
    cnpj: t.expose('cnpj', { type: 'CNPJ' }),
    name: t.exposeString('name'),
    active: t.exposeBoolean('active'),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: true }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', nullable: true }),
    lastActivityAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When one of its tokens or sources was last used, to about a minute. Null while it has used none.',
      resolve: ({ cnpj }, _args, { loaders }) => loaders.lastUse.load(cnpj),
    }),
  }),
})

const TenantFilter = builder.inputType('TenantFilter', {
  fields: (t) => ({
    text: t.string({
      description: 'Part of the name or the CNPJ, whatever its case and accents; 200 characters at most.',
    }),
    active: t.boolean(),
  }),
})

function filterOf(
  filter: { text?: string | null; active?: boolean | null } | null | undefined,
): TenantsFilter {
  return { text: checkedSearch(filter?.text ?? ''), active: filter?.active ?? undefined }
}

/** The tenants that a principal sees, in a connection and its count. */
type Visible = Pick<GraphqlServices['tenantStore'], 'list' | 'count'>

/** The same search for one tenant, which sees itself alone. */
function visibleTo({ principal, services }: GraphqlContext): Visible {
  if (principal.kind === 'admin') return services.tenantStore
  const { tenant } = principal
  const matches = ({ text = '', active = tenant.active }: TenantsFilter = {}) =>
    active === tenant.active && searchTextOf(tenant).includes(searchable(text.trim()))
  return {
    list: async ({ after = '', before, filter }) =>
      matches(filter) && tenant.cnpj > after && (before === undefined || tenant.cnpj < before)
        ? [tenant]
        : [],
    count: async (_limit, filter) => (matches(filter) ? 1 : 0),
  }
}

builder.queryFields((t) => ({
  tenant: t.field({
    type: TenantRef,
    nullable: true,
    description: 'A tenant sees itself; everybody else is unknown to it.',
    args: { cnpj: t.arg({ type: 'CNPJ', required: true }) },
    resolve: (_root, { cnpj }, context) => findTenant(cnpj, context),
  }),
  tenants: t.connection(
    {
      type: TenantRef,
      description: 'In order of their CNPJs. A tenant sees itself alone.',
      args: { filter: t.arg({ type: TenantFilter }) },
      resolve: async (_root, args, context) => {
        const filter = filterOf(args.filter)
        const connection = await keysetConnection(args, {
          name: 'tenants',
          keyOf: (tenant: Tenant) => tenant.cnpj,
          parseKey: (text) => (/^[0-9A-Z]{14}$/.test(text) ? text : undefined),
          read: (page) => visibleTo(context).list({ ...page, filter }),
        })
        return { ...connection, filter }
      },
    },
    {
      name: 'TenantConnection',
      fields: (t) => ({
        totalCount: t.int({
          description: 'At most 10,000, which stands for that many or more.',
          resolve: ({ filter }, _args, context) => visibleTo(context).count(maxCount, filter),
        }),
      }),
    },
    { name: 'TenantEdge' },
  ),
}))

const adminOnly = { authScopes: { admin: true } } as const

builder.mutationFields((t) => ({
  setTenantActive: t.field({
    type: TenantRef,
    ...adminOnly,
    args: { cnpj: t.arg({ type: 'CNPJ', required: true }), active: t.arg.boolean({ required: true }) },
    resolve: (_root, { cnpj, active }, { services }) => services.tenants.setTenantActive(cnpj, active),
  }),
  deleteTenant: t.field({
    type: 'CNPJ',
    ...adminOnly,
    description: 'Its jobs stay until they expire.',
    args: { cnpj: t.arg({ type: 'CNPJ', required: true }) },
    resolve: (_root, { cnpj }, { services }) => services.tenants.removeTenant(cnpj),
  }),
  invalidateTenantCache: t.boolean({
    ...adminOnly,
    description: 'Makes every instance read this tenant, or all of them, again before its next use.',
    args: { cnpj: t.arg({ type: 'CNPJ' }) },
    resolve: async (_root, { cnpj }, { services: { directory, invalidation } }) => {
      directory.invalidate(cnpj ?? '*')
      await invalidation.publish(cnpj ?? '*')
      return true
    },
  }),
}))
