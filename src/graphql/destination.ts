import { type DestinationView, viewOf } from '../delivery/destination-view.ts'
import type { Known } from '../delivery/known-destinations.ts'
import { defaultDestinationId } from '../events/routing.ts'
import { builder } from './builder.ts'
import { keysetConnection } from './connection.ts'
import type { GraphqlContext } from './context.ts'
import { JobRef } from './job.ts'
import { QueueRef } from './queue.ts'
import { TenantRef } from './tenant.ts'

export const DestinationAuthKind = builder.enumType('DestinationAuthKind', {
  description: 'How Gancho shows a destination who it is, beside its signature.',
  values: {
    NONE: { value: 'none' },
    BASIC: { value: 'basic', description: 'HTTP Basic, with username and password.' },
    BEARER: { value: 'bearer', description: 'Authorization: Bearer, with a token.' },
    HEADER: { value: 'header', description: 'A header of the receiver’s own, such as x-api-key.' },
  } as const,
})

const SigningSecretRef = builder.objectRef<{ endsAt: number | null }>('SigningSecret').implement({
  description: 'One that requests are signed with, by when that ends. What it is was shown once.',
  fields: (t) => ({
    endsAt: t.expose('endsAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Null for the newest, which stays until it is replaced.',
    }),
  }),
})

export const DestinationRef = builder.objectRef<DestinationView>('Destination').implement({
  description: 'Where jobs go. Of its secrets it tells that they are there, never what they are.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    url: t.exposeString('url'),
    queue: t.field({ type: QueueRef, resolve: ({ queue }) => ({ name: queue }) }),
    tenant: t.field({
      type: TenantRef,
      nullable: true,
      description: 'Null for a default of all tenants that have no destination of their own.',
      resolve: ({ cnpj }, _args, { loaders }) => (cnpj === null ? null : loaders.tenant.load(cnpj)),
    }),
    active: t.exposeBoolean('active', {
      description: 'While not, it is given no new jobs, and those that wait for it are held.',
    }),
    readOnly: t.boolean({
      description: 'Whether the environment names it, so that nobody can change it here.',
      resolve: ({ id }) => id === defaultDestinationId,
    }),
    eventTypes: t.stringList({
      description: 'Exact types, or prefixes such as invoice.*. Empty: every event.',
      resolve: ({ eventTypes }) => [...eventTypes],
    }),
    filter: t.exposeString('filter', {
      nullable: true,
      description: 'JSONPath (RFC 9535): takes the events in whose JSON body it finds something.',
    }),
    headerNames: t.stringList({
      description: 'Of the headers that are sent with every request.',
      resolve: ({ shown }) => shown?.headerNames ?? [],
    }),
    authKind: t.field({
      type: DestinationAuthKind,
      nullable: true,
      description: 'Null when its secrets cannot be read any more.',
      resolve: ({ shown }) => shown?.authKind ?? null,
    }),
    signingSecrets: t.field({
      type: [SigningSecretRef],
      description: 'Newest first.',
      resolve: ({ shown }) => (shown?.signingSecretEnds ?? []).map((endsAt) => ({ endsAt })),
    }),
    disabledAt: t.expose('disabledAt', { type: 'DateTime', nullable: true }),
    disabledReason: t.exposeString('disabledReason', {
      nullable: true,
      description: 'Why Gancho itself put it out of service, such as a 410.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    version: t.exposeInt('version', { description: 'Counts its changes, from 1.' }),
  }),
})

const intList = (list: readonly number[] | null) => list && [...list]

builder.objectFields(DestinationRef, (t) => ({
  retryScheduleSeconds: t.intList({
    nullable: true,
    description: 'Upper bounds of the delays between attempts; null: those of the environment.',
    resolve: ({ retryScheduleSeconds }) => intList(retryScheduleSeconds),
  }),
  retryForSeconds: t.exposeInt('retryForSeconds', { nullable: true }),
  finalStatuses: t.intList({
    nullable: true,
    description: 'Answers after which nothing is tried again; null: those of the environment.',
    resolve: ({ finalStatuses }) => intList(finalStatuses),
  }),
  timeoutMs: t.exposeInt('timeoutMs', {
    nullable: true,
    description: 'Deadline of one attempt; null: that of the environment.',
  }),
  ratePerSecond: t.exposeInt('ratePerSecond', {
    nullable: true,
    description: 'Attempts a second, over all workers; null: as many as there are.',
  }),
  deliveryWindow: t.exposeString('deliveryWindow', {
    nullable: true,
    description:
      'Hours in which it is delivered to, such as Mon-Fri 08:00-18:00 America/Sao_Paulo; null: always.',
  }),
  jobDeadlineSeconds: t.exposeInt('jobDeadlineSeconds', {
    nullable: true,
    description: 'Age at which a job is given up; null: none.',
  }),
  maxConcurrency: t.int({
    nullable: true,
    description:
      'Attempts under way at the same time, over all workers; null for that of the environment: as many as the workers take on.',
    resolve: ({ id, maxConcurrency }) => (id === defaultDestinationId ? null : maxConcurrency),
  }),
  fifo: t.exposeBoolean('fifo', {
    description: 'Whether the jobs of an ordering key go one after the other.',
  }),
  fifoBlockSeconds: t.exposeInt('fifoBlockSeconds', {
    nullable: true,
    description:
      'How long a job that fails holds up those of its ordering key, before it is given up; null: as the environment says.',
  }),
}))

/** A tenant sees its own; those of all tenants, and where they are, are the platform's matter. */
export const maySeeDestination = ({ cnpj }: { cnpj: string | null }, { principal }: GraphqlContext) =>
  principal.kind === 'admin' || (cnpj !== null && principal.tenant.cnpj === cnpj)

const viewOfKnown = ({ settings, destination }: Known): DestinationView => viewOf(destination ?? settings)

/** Null for what the principal may not see, as for what is not there. */
export async function findDestination(id: string, context: GraphqlContext): Promise<DestinationView | null> {
  const { service, directory } = context.services.destinations
  const environment = id === defaultDestinationId ? directory.get(id) : undefined
  const found = environment ? viewOfKnown(environment) : await service.find(id)
  return found && maySeeDestination(found, context) ? found : null
}

const DestinationFilter = builder.inputType('DestinationFilter', {
  fields: (t) => ({
    cnpj: t.field({ type: 'CNPJ', description: 'Those of one tenant.' }),
    defaults: t.boolean({ description: 'true: those of all tenants that have none of their own.' }),
  }),
})

type Filter = { cnpj?: string | null; defaults?: boolean | null } | null | undefined

/** Undefined for a filter that can match nothing that the principal sees. */
function ownerOf(filter: Filter, { principal }: GraphqlContext): { cnpj?: string | null } | undefined {
  if (principal.kind === 'admin') {
    if (filter?.defaults) return filter.cnpj ? undefined : { cnpj: null }
    return filter?.cnpj ? { cnpj: filter.cnpj } : {}
  }
  const { cnpj } = principal.tenant
  const matches = !filter?.defaults && (filter?.cnpj ?? cnpj) === cnpj
  return matches ? { cnpj } : undefined
}

builder.queryFields((t) => ({
  destination: t.field({
    type: DestinationRef,
    nullable: true,
    description: 'A tenant sees its own. The one that the environment names has the id `default`.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => findDestination(id, context),
  }),
  destinations: t.connection(
    {
      type: DestinationRef,
      description:
        'In order of their creation. A tenant sees its own; the one that the environment names is not among them.',
      args: { filter: t.arg({ type: DestinationFilter }) },
      resolve: (_root, args, context) => {
        const filter = ownerOf(args.filter, context)
        return keysetConnection(args, {
          name: 'destinations',
          keyOf: (destination: DestinationView) => destination.id,
          parseKey: (text) => (/^dst_[0-9a-z]{1,60}$/.test(text) ? text : undefined),
          read: async (page) =>
            filter ? context.services.destinations.service.list({ ...page, filter }) : [],
        })
      },
    },
    { name: 'DestinationConnection' },
    { name: 'DestinationEdge' },
  ),
}))

builder.objectField(TenantRef, 'destinations', (t) =>
  t.field({
    type: [DestinationRef],
    description: 'In order of their creation, 20 at most.',
    resolve: ({ cnpj }, _args, { services }) =>
      services.destinations.directory.ofTenant(cnpj).map(viewOfKnown),
  }),
)

builder.objectField(JobRef, 'destination', (t) =>
  t.field({
    type: DestinationRef,
    nullable: true,
    description: 'Null when it was deleted, and to a tenant when it is not its own.',
    resolve: ({ destination }, _args, context) => {
      const known = context.services.destinations.directory.get(destination)
      return known && maySeeDestination(known.settings, context) ? viewOfKnown(known) : null
    },
  }),
)
