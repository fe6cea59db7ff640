import { GanchoError } from '../errors.ts'
import { jobId } from '../events/job.ts'
import type { Stray } from '../sync/awaited-replies.ts'
import { builder } from './builder.ts'
import { JobRef } from './job.ts'
import { findJob } from './job-access.ts'

const UnmatchedReply = builder.objectRef<Stray>('UnmatchedReply').implement({
  description: 'An event that looked like a reply, and answered no call.',
  fields: (t) => ({
    upstream: t.exposeString('upstream', {
      description: 'Whose reply it could have been; the first of several.',
    }),
    externalId: t.exposeString('externalId', { description: 'What it names, up to 200 characters.' }),
    eventId: t.exposeID('eventId'),
    at: t.expose('at', { type: 'DateTime' }),
    job: t.field({
      type: JobRef,
      nullable: true,
      resolve: ({ n }, _args, context) => (n === null ? null : findJob(jobId(n), context)),
    }),
  }),
})

const UnmatchedReplies = builder.objectRef<{ count: number; last: Stray[] }>('UnmatchedReplies').implement({
  fields: (t) => ({
    count: t.exposeInt('count', {
      description: 'Since the tenant began to call upstreams, with no longer pause than replies are kept.',
    }),
    last: t.expose('last', {
      type: [UnmatchedReply],
      description: 'Of the last hour, at most 100, newest first.',
    }),
  }),
})

builder.queryField('unmatchedReplies', (t) =>
  t.field({
    type: UnmatchedReplies,
    args: {
      cnpj: t.arg({ type: 'CNPJ', description: 'Needed with an administrator’s token alone.' }),
    },
    resolve: (_root, { cnpj }, { principal, services }) => {
      const own = principal.kind === 'tenant' ? principal.tenant.cnpj : undefined
      if (own !== undefined && cnpj != null && cnpj !== own) throw new GanchoError('FORBIDDEN')
      const of = own ?? cnpj
      if (of == null) throw new GanchoError('BAD_REQUEST', 'Name the tenant: cnpj.')
      return services.correlator.awaited.strays(of)
    },
  }),
)
