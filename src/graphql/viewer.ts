import type { Principal } from '../tenants/principal.ts'
import { builder } from './builder.ts'
import { TenantRef } from './tenant.ts'

const ViewerKind = builder.enumType('ViewerKind', { values: ['ADMIN', 'TENANT'] as const })

const Viewer = builder.objectRef<Principal>('Viewer').implement({
  description: 'Whoever the token stands for.',
  fields: (t) => ({
    kind: t.field({ type: ViewerKind, resolve: ({ kind }) => (kind === 'admin' ? 'ADMIN' : 'TENANT') }),
    tenant: t.field({
      type: TenantRef,
      nullable: true,
      description: 'Null for an administrator.',
      resolve: (principal) => (principal.kind === 'tenant' ? principal.tenant : null),
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({ type: Viewer, resolve: (_root, _args, { principal }) => principal }),
)
