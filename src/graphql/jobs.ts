import type { Job } from '../events/job.ts'
import { builder } from './builder.ts'
import { keysetConnection, maxCount } from './connection.ts'
import { JobRef } from './job.ts'
import { findJob } from './job-access.ts'
import { JobFilter, jobsFilter } from './job-filter.ts'

builder.queryFields((t) => ({
  job: t.field({
    type: JobRef,
    nullable: true,
    description: 'Knows a job as soon as its event is accepted.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => findJob(id, context),
  }),
  jobs: t.connection(
    {
      type: JobRef,
      description: 'Newest first. A change shows here a moment after it shows in `job`.',
      args: { filter: t.arg({ type: JobFilter }) },
      resolve: async (_root, args, { principal, services }) => {
        const filter = jobsFilter(args.filter, principal)
        const connection = await keysetConnection(args, {
          name: 'jobs',
          keyOf: (job: Job) => job.n,
          parseKey: (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined),
          read: (page) => services.jobs.list(filter, page),
        })
        return { ...connection, filter }
      },
    },
    {
      name: 'JobConnection',
      fields: (t) => ({
        totalCount: t.int({
          description: 'At most 10,000, which stands for that many or more.',
          resolve: ({ filter }, _args, { services }) => services.jobs.count(filter, maxCount),
        }),
      }),
    },
    { name: 'JobEdge' },
  ),
}))
