import type { Source } from '../tenants/sources/source.ts'
import { builder } from './builder.ts'
import { TenantRef } from './tenant.ts'

const SourceScheme = builder.enumType('SourceScheme', {
  description: 'How the senders of a source sign.',
  values: {
    STANDARD_WEBHOOKS: { value: 'standard-webhooks', description: 'Secrets are whsec_ and base64.' },
    HMAC: { value: 'hmac', description: 'The HMAC of the body in a header.' },
    GITHUB: { value: 'github' },
    STRIPE: { value: 'stripe' },
    SHOPIFY: { value: 'shopify' },
  } as const,
})

const SourceRef = builder.objectRef<Source>('Source').implement({
  description: 'Takes events whose signature stands in for a token. Its secrets are never shown.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    scheme: t.expose('scheme', { type: SourceScheme }),
    path: t.string({
      description: 'Where its senders post to.',
      resolve: ({ id }) => `/webhook/${id}`,
    }),
    header: t.string({ nullable: true, resolve: ({ options }) => options.header ?? null }),
    algorithm: t.string({ nullable: true, resolve: ({ options }) => options.algorithm ?? null }),
    encoding: t.string({ nullable: true, resolve: ({ options }) => options.encoding ?? null }),
    prefix: t.string({ nullable: true, resolve: ({ options }) => options.prefix ?? null }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a request with a valid signature last came, to about a minute.',
    }),
  }),
})

const adminOnly = { authScopes: { admin: true } } as const

builder.objectField(TenantRef, 'sources', (t) =>
  t.field({
    type: [SourceRef],
    ...adminOnly,
    description: 'For administrators. Oldest first, 100 at most.',
    resolve: ({ cnpj }, _args, { loaders }) => loaders.sources.load(cnpj),
  }),
)

const CreateSourceInput = builder.inputType('CreateSourceInput', {
  description: 'Header, algorithm, encoding and prefix are for HMAC alone.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 200 characters.' }),
    scheme: t.field({ type: SourceScheme, required: true }),
    secrets: t.stringList({ required: true, description: '1 to 5: each of them may sign.' }),
    header: t.string({ description: 'The header with the signature.' }),
    algorithm: t.string({ description: 'sha256, the default, or sha512.' }),
    encoding: t.string({ description: 'hex, the default, or base64.' }),
    prefix: t.string({ description: 'What stands before the signature in the header.' }),
  }),
})

builder.mutationFields((t) => ({
  createSource: t.field({
    type: SourceRef,
    ...adminOnly,
    args: {
      cnpj: t.arg({ type: 'CNPJ', required: true }),
      input: t.arg({ type: CreateSourceInput, required: true }),
    },
    resolve: (_root, { cnpj, input: { name, scheme, secrets, ...options } }, { services }) =>
      services.sources.createSource(cnpj, { name, scheme, secrets, options }),
  }),
  setSourceSecrets: t.field({
    type: SourceRef,
    ...adminOnly,
    description:
      'In place of those of before; to rotate, first the old one and the new one, then the new one.',
    args: { id: t.arg.id({ required: true }), secrets: t.arg.stringList({ required: true }) },
    resolve: (_root, { id, secrets }, { services }) => services.sources.setSourceSecrets(id, secrets),
  }),
  deleteSource: t.field({
    type: 'ID',
    ...adminOnly,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, { services }) => services.sources.deleteSource(id),
  }),
}))
