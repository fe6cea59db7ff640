import type { TenantSettings } from '../tenants/tenant-settings.ts'
import { builder } from './builder.ts'
import { TenantRef } from './tenant.ts'

type Limits = NonNullable<TenantSettings['limits']>

const TenantLimits = builder.objectRef<Limits>('TenantLimits').implement({
  description: 'What is null is as the environment says for all.',
  fields: (t) => ({
    requestsPerSecond: t.exposeFloat('requestsPerSecond', { nullable: true }),
    burst: t.exposeInt('burst', { nullable: true }),
    maxBodyBytes: t.exposeInt('maxBodyBytes', { nullable: true }),
    waitingReplies: t.exposeInt('waitingReplies', { nullable: true }),
    subscriptions: t.exposeInt('subscriptions', { nullable: true }),
  }),
})

const TenantSettingsRef = builder.objectRef<TenantSettings>('TenantSettings').implement({
  fields: (t) => ({
    accessWindow: t.exposeString('accessWindow', {
      nullable: true,
      description: 'Hours in which its tokens are honoured.',
    }),
    allowedAddresses: t.exposeStringList('allowedAddresses', {
      nullable: true,
      description: 'Addresses or CIDR ranges that its requests may come from.',
    }),
    limits: t.field({ type: TenantLimits, resolve: ({ limits }) => limits ?? {} }),
  }),
})

builder.objectField(TenantRef, 'settings', (t) =>
  t.field({ type: TenantSettingsRef, resolve: ({ settings }) => settings ?? {} }),
)

const TenantLimitsInput = builder.inputType('TenantLimitsInput', {
  description: 'What is left out stays, null takes a limit away.',
  fields: (t) => ({
    requestsPerSecond: t.float(),
    burst: t.int({ description: 'Requests that may come at once.' }),
    maxBodyBytes: t.int(),
    waitingReplies: t.int(),
    subscriptions: t.int(),
  }),
})

const UpdateTenantInput = builder.inputType('UpdateTenantInput', {
  description: 'What is left out stays. Null takes a setting away.',
  fields: (t) => ({
    name: t.string({ description: '1 to 200 characters.' }),
    active: t.boolean(),
    accessWindow: t.string({ description: 'Such as Mon-Fri 08:00-18:00 America/Sao_Paulo.' }),
    allowedAddresses: t.stringList({ description: 'Addresses or CIDR ranges.' }),
    limits: t.field({ type: TenantLimitsInput }),
  }),
})

builder.mutationField('updateTenant', (t) =>
  t.field({
    type: TenantRef,
    authScopes: { admin: true },
    args: {
      cnpj: t.arg({ type: 'CNPJ', required: true }),
      input: t.arg({ type: UpdateTenantInput, required: true }),
    },
    resolve: (_root, { cnpj, input: { name, active, ...settings } }, { services }) =>
      services.tenants.updateTenant(cnpj, {
        ...{ name, active },
        // Settings are read, changed and written as one: a change of the name must not undo another's change of them.
        ...(Object.keys(settings).length > 0 ? { settings } : {}),
      }),
  }),
)
