import type { TenantToken } from '../tenants/tenant.ts'
import type { CreatedTenant } from '../tenants/tenant-service.ts'
import { builder } from './builder.ts'
import { TenantRef } from './tenant.ts'

const TenantTokenRef = builder.objectRef<TenantToken>('TenantToken').implement({
  description:
    'A Bearer token of a tenant, by what it is recognised by. The token itself is shown once, when it is made.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    prefix: t.exposeString('prefix', { description: 'Its first characters.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'It is honoured until then.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'To about a minute.',
    }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true }),
  }),
})

const adminOnly = { authScopes: { admin: true } } as const

builder.objectField(TenantRef, 'tokens', (t) =>
  t.field({
    type: [TenantTokenRef],
    ...adminOnly,
    description: 'For administrators. Ended ones too, newest first, 100 at most.',
    resolve: ({ cnpj }, _args, { loaders }) => loaders.tokens.load(cnpj),
  }),
)

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

builder.mutationFields((t) => ({
  createTenant: t.field({
    type: CreateTenantPayload,
    ...adminOnly,
    args: { input: t.arg({ type: CreateTenantInput, required: true }) },
    resolve: (_root, { input }, { services }) => services.tenants.createTenant(input),
  }),
  rotateTenantToken: t.field({
    type: CreateTenantPayload,
    ...adminOnly,
    description: "A new token in place of all of the tenant's others.",
    args: {
      cnpj: t.arg({ type: 'CNPJ', required: true }),
      overlapSeconds: t.arg.int({
        description: 'How long the others are honoured on, 0 to 2,592,000 (30 days); 0 unless given.',
      }),
      name: t.arg.string({ description: 'What the new token is called, 1 to 200 characters.' }),
    },
    resolve: (_root, { cnpj, overlapSeconds, name }, { services }) =>
      services.tenants.rotateToken(cnpj, {
        overlapSeconds: overlapSeconds ?? undefined,
        name: name ?? undefined,
      }),
  }),
  revokeTenantToken: t.field({
    type: TenantRef,
    ...adminOnly,
    description: 'Ends one token at once, on every instance.',
    args: { cnpj: t.arg({ type: 'CNPJ', required: true }), id: t.arg.id({ required: true }) },
    resolve: (_root, { cnpj, id }, { services }) => services.tenants.revokeToken(cnpj, id),
  }),
}))
