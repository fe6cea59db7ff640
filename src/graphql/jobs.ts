import type { JobsFilter, Tally } from '../history/history-store.ts'
import { visibleJobs } from '../history/visible-jobs.ts'
import { builder } from './builder.ts'
import { keysetConnection, maxCount } from './connection.ts'
import { JobRef } from './job.ts'
import { findJob } from './job-access.ts'
import { JobFilter } from './job-filter.ts'
import { wantedJobs } from './job-parts.ts'
import { type ListedJob, listedJobs } from './listed-job.ts'
import type { GraphqlServices } from './services.ts'

type JobsList = { filter: JobsFilter; tally?: Promise<Tally> }

/** Counted when it is asked for, and once for both fields that tell of it. */
function tallyOf(list: JobsList, { jobs }: GraphqlServices): Promise<Tally> {
  list.tally ??= jobs.tally(list.filter, maxCount)
  return list.tally
}

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
      description:
        'Newest first. A change shows here a moment after it shows in `job`. A search that would take too long ends with fewer jobs than asked for, and with `hasNextPage`: go on from its `endCursor`.',
      args: { filter: t.arg({ type: JobFilter }) },
      resolve: async (_root, args, context, info) => {
        const filter = visibleJobs(args.filter, context.principal)
        const wanted = wantedJobs(info)
        const connection = await keysetConnection(args, {
          name: 'jobs',
          keyOf: (job: ListedJob) => job.n,
          parseKey: (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined),
          read: async (page) => {
            const found = await context.services.jobs.search(filter, page, wanted)
            return { nodes: listedJobs(found, wanted.tenants), reached: found.reached }
          },
        })
        const list: JobsList = { filter }
        return Object.assign(list, connection)
      },
    },
    {
      name: 'JobConnection',
      fields: (t) => ({
        totalCount: t.int({
          description: 'At most 10,000, and fewer where counting takes too long: see `totalCountIsExact`.',
          resolve: async (list, _args, { services }) => (await tallyOf(list, services)).count,
        }),
        totalCountIsExact: t.boolean({
          description: 'False when there may be more than `totalCount`.',
          resolve: async (list, _args, { services }) => (await tallyOf(list, services)).isExact,
        }),
      }),
    },
    { name: 'JobEdge' },
  ),
}))
