import type { Tenant } from '../tenants/tenant.ts'
import type { CreatedTenant } from '../tenants/tenant-service.ts'
import type { TenantsPage } from '../tenants/tenant-store.ts'
import { builder } from './builder.ts'
import { keysetConnection, maxCount } from './connection.ts'
import type { GraphqlContext } from './context.ts'
import { maySee } from './loaders.ts'

/** A tenant, or what is left of one that was deleted: its CNPJ. */
type TenantView = Omit<Tenant, 'createdAt' | 'updatedAt'> & {
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
  }),
})

const onlyItself =
  (tenant: Tenant) =>
  async ({ after = '', before }: TenantsPage): Promise<Tenant[]> =>
    tenant.cnpj > after && (before === undefined || tenant.cnpj < before) ? [tenant] : []

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
      resolve: (_root, args, { principal, services }) =>
        keysetConnection(args, {
          name: 'tenants',
          keyOf: (tenant: Tenant) => tenant.cnpj,
          parseKey: (text) => (/^[0-9A-Z]{14}$/.test(text) ? text : undefined),
          read: principal.kind === 'admin' ? services.tenants.listTenants : onlyItself(principal.tenant),
        }),
    },
    {
      name: 'TenantConnection',
      fields: (t) => ({
        totalCount: t.int({
          description: 'At most 10,000, which stands for that many or more.',
          resolve: (_connection, _args, { principal, services }) =>
            principal.kind === 'admin' ? services.tenantStore.count(maxCount) : 1,
        }),
      }),
    },
    { name: 'TenantEdge' },
  ),
}))

const CreateTenantInput = builder.inputType('CreateTenantInput', {
  fields: (t) => ({
    cnpj: t.field({ type: 'CNPJ', required: true }),
    name: t.string({ required: true, description: '1 to 200 characters.' }),
    active: t.boolean({ required: true, defaultValue: true }),
  }),
})

const CreateTenantPayload = builder.objectRef<CreatedTenant>('CreateTenantPayload').implement({
  fields: (t) => ({
    tenant: t.expose('tenant', { type: TenantRef }),
    token: t.exposeString('token', { description: 'The Bearer token, shown this once.' }),
    encryptedToken: t.exposeString('encryptedToken'),
  }),
})

const adminOnly = { authScopes: { admin: true } } as const

builder.mutationFields((t) => ({
  createTenant: t.field({
    type: CreateTenantPayload,
    ...adminOnly,
    args: { input: t.arg({ type: CreateTenantInput, required: true }) },
    resolve: (_root, { input }, { services }) => services.tenants.createTenant(input),
  }),
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
