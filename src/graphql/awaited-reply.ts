import { GanchoError } from '../errors.ts'
import { jobId } from '../events/job.ts'
import { maySee } from '../history/visible-jobs.ts'
import { type AwaitedReply, awaitStatuses, type Reply } from '../sync/awaited-reply.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { JobRef } from './job.ts'
import { findJob } from './job-access.ts'
import { bodyPayload, bodyText } from './job-body.ts'

const AwaitStatus = builder.enumType('AwaitStatus', {
  description:
    'LATE: the reply came after the deadline. FAILED: the upstream could not be called, or its reply reports failure. EXPIRED: the deadline is over; a late reply may still come.',
  values: awaitStatuses,
})

/** The webhook as JSON, null where it is none. */
export const payloadOf = (reply: Reply | null) => reply && bodyPayload(reply.body, reply.contentType)

/** The job of the webhook that answered. */
export const jobOf = (reply: Reply | null, context: GraphqlContext) =>
  reply?.n ? findJob(jobId(reply.n), context) : null

const AwaitFailure = builder.objectRef<NonNullable<AwaitedReply['failure']>>('AwaitFailure').implement({
  description: 'Why the upstream did not take the call.',
  fields: (t) => ({
    code: t.exposeString('code'),
    message: t.exposeString('message'),
    upstreamStatus: t.exposeInt('status', { nullable: true }),
  }),
})

export const AwaitedReplyRef = builder.objectRef<AwaitedReply>('AwaitedReply').implement({
  description: 'One call to an upstream, and the webhook that answers it.',
  fields: (t) => ({
    id: t.exposeID('id'),
    status: t.expose('status', { type: AwaitStatus }),
    upstream: t.exposeString('upstream'),
    externalId: t.exposeString('externalId', {
      nullable: true,
      description: 'What the upstream calls it; null until it has said so.',
    }),
    payload: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The reply as JSON; null when it is none.',
      resolve: ({ reply }) => payloadOf(reply),
    }),
    body: t.string({
      nullable: true,
      description: 'The reply as it came; null when it is not UTF-8 text.',
      resolve: ({ reply }) => bodyText(reply?.body ?? null),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    deadline: t.expose('deadline', { type: 'DateTime', description: 'Until when a caller waits.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when it can be read.' }),
    repliedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ reply }) => reply?.repliedAt ?? null,
    }),
    duplicates: t.exposeInt('duplicates', { description: 'Replies after the first, which stands.' }),
    failure: t.expose('failure', { type: AwaitFailure, nullable: true }),
    job: t.field({
      type: JobRef,
      nullable: true,
      description: 'Of the webhook that answered; null when it is not delivered.',
      resolve: ({ reply }, _args, context) => jobOf(reply, context),
    }),
  }),
})

/** Null for one that the principal may not see, as for one that is not there. */
export async function findAwaitedReply(id: string, context: GraphqlContext): Promise<AwaitedReply | null> {
  const found = await context.services.correlator.awaited.read(id)
  return found && maySee(context.principal, found.cnpj) ? found : null
}

async function findByKey(key: string, { principal, services }: GraphqlContext) {
  if (principal.kind === 'tenant') return services.correlator.awaited.findByKey(principal.tenant.cnpj, key)
  throw new GanchoError('BAD_REQUEST', 'An idempotency key is known to its tenant alone; give the id.')
}

builder.queryField('awaitedReply', (t) =>
  t.field({
    type: AwaitedReplyRef,
    nullable: true,
    description: 'By its id, or by the idempotency key of its call.',
    args: { id: t.arg.id(), idempotencyKey: t.arg.string() },
    resolve: (_root, { id, idempotencyKey }, context) => {
      if ((id == null) === (idempotencyKey == null))
        throw new GanchoError('BAD_REQUEST', 'Give id or idempotencyKey, one of them.')
      return id == null ? findByKey(idempotencyKey ?? '', context) : findAwaitedReply(id, context)
    },
  }),
)
