import { type DestinationAuth, defaultMaxConcurrency } from '../delivery/destination.ts'
import type { DestinationInput } from '../delivery/destination-input.ts'
import type { CreatedDestination, ServiceOptions } from '../delivery/destination-service.ts'
import { GanchoError } from '../errors.ts'
import { defaultQueue } from '../events/routing.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { DestinationAuthKind, DestinationRef, findDestination } from './destination.ts'

const DestinationAuthInput = builder.inputType('DestinationAuthInput', {
  description: 'With the fields that its kind takes: username and password, token, or name and value.',
  fields: (t) => ({
    kind: t.field({ type: DestinationAuthKind, required: true }),
    username: t.string(),
    password: t.string(),
    token: t.string(),
    name: t.string({ description: 'Of the header.' }),
    value: t.string(),
  }),
})

const retrySchedule =
  'Upper bounds of the delays between attempts, 50 at most; null: those of the environment.'

const CreateDestinationInput = builder.inputType('CreateDestinationInput', {
  fields: (t) => ({
    cnpj: t.field({
      type: 'CNPJ',
      description: 'Whose it is. Left out by an administrator: a default of all tenants without their own.',
    }),
    name: t.string({ required: true, description: '1 to 200 characters.' }),
    url: t.string({ required: true, description: 'http or https, without credentials, at most 2,000.' }),
    queue: t.string({ description: 'a-z, 0-9 and -, at most 40; nifi unless given.' }),
    active: t.boolean(),
    eventTypes: t.stringList({ description: 'Exact types, or prefixes such as invoice.*; 50 at most.' }),
    filter: t.string({ description: 'JSONPath (RFC 9535), at most 512 characters.' }),
    headers: t.field({ type: 'JSON', description: 'Sent with every request. Never shown again.' }),
    auth: t.field({ type: DestinationAuthInput }),
    retryScheduleSeconds: t.intList({ description: retrySchedule }),
    retryForSeconds: t.int(),
    finalStatuses: t.intList({ description: '300 to 599.' }),
    timeoutMs: t.int({ description: '100 to 300,000.' }),
    ratePerSecond: t.int({ description: 'Attempts a second, over all workers; 1 to 100,000.' }),
    deliveryWindow: t.string({ description: 'Such as Mon-Fri 08:00-18:00 America/Sao_Paulo.' }),
    jobDeadlineSeconds: t.int(),
    maxConcurrency: t.int({ defaultValue: defaultMaxConcurrency, description: '1 to 10,000.' }),
    fifo: t.boolean({ description: 'Whether the jobs of an ordering key go one after the other.' }),
    fifoBlockSeconds: t.int({ description: '1 to 2,592,000.' }),
  }),
})

const UpdateDestinationInput = builder.inputType('UpdateDestinationInput', {
  description: 'What is left out stays. Null takes a setting away.',
  fields: (t) => ({
    version: t.int({
      description: 'The version that this is a change of: of any other it is refused.',
    }),
    name: t.string(),
    url: t.string(),
    queue: t.string(),
    active: t.boolean({ description: 'true also puts one back into service that a 410 took out of it.' }),
    eventTypes: t.stringList(),
    filter: t.string(),
    headers: t.field({ type: 'JSON', description: 'In place of all of before.' }),
    auth: t.field({ type: DestinationAuthInput }),
    retryScheduleSeconds: t.intList({ description: retrySchedule }),
    retryForSeconds: t.int(),
    finalStatuses: t.intList(),
    timeoutMs: t.int(),
    ratePerSecond: t.int(),
    deliveryWindow: t.string(),
    jobDeadlineSeconds: t.int(),
    maxConcurrency: t.int(),
    fifo: t.boolean({ description: 'Holds for the jobs that are accepted from then on.' }),
    fifoBlockSeconds: t.int(),
  }),
})

type Given = Omit<(typeof UpdateDestinationInput)['$inferInput'], 'version'>

/** What null stands for where a setting cannot be absent; the others keep it. */
const withoutSetting = {
  ...{ queue: defaultQueue, eventTypes: [], headers: {} },
  ...{ maxConcurrency: defaultMaxConcurrency, fifo: false },
  auth: { kind: 'none' },
} satisfies DestinationInput

/** Checked where it is used, so that it is the same whoever asks. */
function inputOf(given: Given): DestinationInput {
  const entries = Object.entries(given).map(([name, value]) => {
    if (name === 'auth' && value) return [name, authOf(value as NonNullable<Given['auth']>)]
    if (value === null && name in withoutSetting)
      return [name, withoutSetting[name as keyof typeof withoutSetting]]
    return [name, value]
  })
  return Object.fromEntries(entries) as DestinationInput
}

const authOf = (auth: NonNullable<Given['auth']>) =>
  Object.fromEntries(Object.entries(auth).filter(([, value]) => value != null)) as DestinationAuth

const optionsOf = ({ principal }: GraphqlContext): ServiceOptions => ({
  mayOpenQueues: principal.kind === 'admin',
})

/** @throws GanchoError FORBIDDEN */
function ownerOf(cnpj: string | null | undefined, { principal }: GraphqlContext): string | null {
  if (principal.kind === 'admin') return cnpj ?? null
  if (cnpj != null && cnpj !== principal.tenant.cnpj)
    throw new GanchoError('FORBIDDEN', 'A tenant has destinations of its own.')
  return principal.tenant.cnpj
}

/** @throws GanchoError DESTINATION_NOT_FOUND, the same for one that the principal may not see and for one that is not there */
async function requireDestination(id: string, context: GraphqlContext): Promise<void> {
  if (!(await findDestination(id, context))) throw new GanchoError('DESTINATION_NOT_FOUND')
}

const CreateDestinationPayload = builder.objectRef<CreatedDestination>('CreateDestinationPayload').implement({
  fields: (t) => ({
    destination: t.expose('destination', { type: DestinationRef }),
    signingSecret: t.exposeString('signingSecret', {
      description: 'whsec_ and base64 (Standard Webhooks), shown this once.',
    }),
  }),
})

builder.mutationFields((t) => ({
  createDestination: t.field({
    type: CreateDestinationPayload,
    description: 'At most 20 for each tenant, and 20 defaults.',
    args: { input: t.arg({ type: CreateDestinationInput, required: true }) },
    resolve: (_root, { input: { cnpj, ...given } }, context) => {
      const { name, url } = given
      const input = { ...inputOf(withoutNulls(given)), name, url, cnpj: ownerOf(cnpj, context) }
      return context.services.destinations.service.create(input, optionsOf(context))
    },
  }),
  updateDestination: t.field({
    type: DestinationRef,
    args: {
      id: t.arg.id({ required: true }),
      input: t.arg({ type: UpdateDestinationInput, required: true }),
    },
    resolve: async (_root, { id, input: { version, ...given } }, context) => {
      await requireDestination(id, context)
      const change = { ...inputOf(given), version: version ?? undefined }
      return context.services.destinations.service.update(id, change, optionsOf(context))
    },
  }),
  deleteDestination: t.field({
    type: 'ID',
    description:
      'Jobs that wait for it fail when their turn comes, as DESTINATION_GONE, and rest in the error queue.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      await requireDestination(id, context)
      return context.services.destinations.service.remove(id)
    },
  }),
  rotateDestinationSecret: t.field({
    type: CreateDestinationPayload,
    description: 'A new signing secret. Requests are signed with the others too until the overlap ends.',
    args: {
      id: t.arg.id({ required: true }),
      overlapSeconds: t.arg.int({
        required: true,
        defaultValue: 86_400,
        description: '0 to 2,592,000 (30 days).',
      }),
    },
    resolve: async (_root, { id, overlapSeconds }, context) => {
      await requireDestination(id, context)
      return context.services.destinations.service.rotateSecret(id, overlapSeconds)
    },
  }),
}))

const withoutNulls = (given: Given): Given =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
