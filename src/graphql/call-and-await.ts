import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import type { CallOutcome } from '../sync/call-and-await.ts'
import { jobOf, payloadOf } from './awaited-reply.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { JobRef } from './job.ts'

type Kind<Name extends CallOutcome['kind']> = Extract<CallOutcome, { kind: Name }>
type Answered = Kind<'replied' | 'reply-failed'>

const ReplyReceived = builder.objectRef<Answered>('ReplyReceived')
const ReplyFailed = builder.objectRef<Answered>('ReplyFailed')
for (const [ref, description] of [
  [ReplyReceived, 'The webhook that answered.'],
  [ReplyFailed, 'The webhook that answered reports that what was asked for failed.'],
] as const) {
  ref.implement({
    description,
    fields: (t) => ({
      awaitId: t.exposeID('awaitId'),
      payload: t.field({
        type: 'JSON',
        nullable: true,
        description: 'The webhook as JSON; null when it is none.',
        resolve: ({ reply }) => payloadOf(reply),
      }),
      job: t.field({
        type: JobRef,
        nullable: true,
        description: 'Null when it is not delivered.',
        resolve: ({ reply }, _args, context) => jobOf(reply, context),
      }),
      elapsedMs: t.exposeInt('elapsedMs'),
    }),
  })
}

const ReplyPending = builder.objectRef<Kind<'pending'>>('ReplyPending').implement({
  description:
    'The reply is still to come: `awaitedReply` has it then, by this id or by the idempotency key.',
  fields: (t) => ({
    awaitId: t.exposeID('awaitId'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when it can be read.' }),
  }),
})

const UpstreamFailed = builder.objectRef<Kind<'upstream-failed'>>('UpstreamFailed').implement({
  description: 'The upstream did not take the call, or nobody knows whether it did.',
  fields: (t) => ({
    awaitId: t.exposeID('awaitId'),
    code: t.string({ resolve: ({ failure }) => failure.code }),
    message: t.string({ resolve: ({ failure }) => failure.message }),
    upstreamStatus: t.int({
      nullable: true,
      description: 'HTTP status of the upstream; null when it gave none.',
      resolve: ({ failure }) => failure.status,
    }),
  }),
})

const TooManyAwaiting = builder.objectRef<Kind<'too-many'>>('TooManyAwaiting').implement({
  fields: (t) => ({
    max: t.exposeInt('max', {
      description: 'Calls of the tenant, or of this instance, that may wait at a time.',
    }),
    retryAfterSeconds: t.exposeInt('retryAfterSeconds'),
  }),
})

const refs = {
  replied: ReplyReceived,
  'reply-failed': ReplyFailed,
  pending: ReplyPending,
  'upstream-failed': UpstreamFailed,
  'too-many': TooManyAwaiting,
}
const CallAndAwaitResult = builder.unionType('CallAndAwaitResult', {
  types: Object.values(refs),
  resolveType: (outcome) => refs[(outcome as CallOutcome).kind],
})

const CallAndAwaitInput = builder.inputType('CallAndAwaitInput', {
  fields: (t) => ({
    upstream: t.string({ description: 'The default one, unless named.' }),
    body: t.field({ type: 'JSON', description: 'What the upstream is called with.' }),
    timeoutMs: t.int({
      description: 'May shorten the time that the upstream is given.',
      validate: z.int().min(1, 'timeoutMs is 1 or more').nullish(),
    }),
    idempotencyKey: t.string({
      description:
        'A repeat with the same key and body joins the call under way, or gets its reply, and calls nobody twice.',
      validate: z
        .string()
        .regex(/^[!-~]{1,255}$/, 'idempotencyKey takes 1 to 255 printable ASCII characters without blanks')
        .nullish(),
    }),
  }),
})

type Input = (typeof CallAndAwaitInput)['$inferInput']

function callAndAwait(input: Input, { principal, services, request }: GraphqlContext): Promise<CallOutcome> {
  if (principal.kind !== 'tenant')
    throw new GanchoError(
      'FORBIDDEN',
      'Upstreams are called with the token of a tenant, not of an administrator.',
    )
  return services.correlator.callAndAwait({
    tenant: principal.tenant,
    upstream: input.upstream ?? undefined,
    body: input.body == null ? undefined : Buffer.from(JSON.stringify(input.body)),
    timeoutMs: input.timeoutMs ?? undefined,
    idempotencyKey: input.idempotencyKey ?? null,
    signal: request.signal,
  })
}

builder.mutationField('callAndAwait', (t) =>
  t.field({
    type: CallAndAwaitResult,
    description: 'Calls an upstream, and answers when the webhook that replies has come.',
    args: { input: t.arg({ type: CallAndAwaitInput, required: true }) },
    resolve: (_root, { input }, context) => callAndAwait(input, context),
  }),
)
