import { GanchoError } from '../errors.ts'
import type { JobsFilter } from '../history/history-store.ts'
import { type Latencies, maxPoints, type StatsPoint } from '../history/stats-reader.ts'
import { type StatsFilter, statsFilterNames } from '../history/stats-store.ts'
import { visibleJobs } from '../history/visible-jobs.ts'
import { builder } from './builder.ts'
import { JobFilter } from './job-filter.ts'

const LatencyRef = builder.objectRef<Latencies>('LatencyPercentiles').implement({
  description:
    'Milliseconds from acceptance to delivery, for jobs that nobody had to queue again. Off by less than 5 %, and by up to 1 ms.',
  fields: (t) => ({
    count: t.exposeInt('count', { description: 'Deliveries that were measured.' }),
    p50: t.exposeFloat('p50'),
    p90: t.exposeFloat('p90'),
    p95: t.exposeFloat('p95'),
    p99: t.exposeFloat('p99'),
  }),
})

const StatsPointRef = builder.objectRef<StatsPoint>('StatsPoint').implement({
  description: 'What happened from `from` on, until before `to`.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime' }),
    to: t.expose('to', { type: 'DateTime' }),
    received: t.exposeInt('received', { description: 'Jobs accepted.' }),
    delivered: t.exposeInt('delivered'),
    failed: t.exposeInt('failed', { description: 'For good.' }),
    retried: t.exposeInt('retried', { description: 'Attempts after which another one follows.' }),
    requeued: t.exposeInt('requeued', { description: 'Queued again, having failed or been delivered.' }),
    discarded: t.exposeInt('discarded'),
    latency: t.expose('latency', {
      type: LatencyRef,
      nullable: true,
      description: 'Null when nothing was delivered.',
    }),
  }),
})

builder.queryField('stats', (t) =>
  t.field({
    type: [StatsPointRef],
    description:
      'Counted as it happens, and shown a moment later: by the minute for two days, then by the hour until the retention time.',
    args: {
      from: t.arg({
        type: 'DateTime',
        required: true,
        description: 'Rounded down to a whole minute, or hour where `bucketSeconds` is whole hours.',
      }),
      to: t.arg({ type: 'DateTime', required: true, description: 'Not included.' }),
      bucketSeconds: t.arg.int({
        required: true,
        description: `Of each point; a multiple of 60. No more than ${maxPoints} points come of it.`,
      }),
      filter: t.arg({ type: JobFilter, description: '`cnpj`, `queue` and `destination` alone.' }),
    },
    // More are refused when they are asked for, and the reason told.
    complexity: ({ from, to, bucketSeconds }) => ({
      multiplier: Math.min(Math.ceil((+to - +from) / 1_000 / bucketSeconds), maxPoints),
    }),
    resolve: async (_root, { from, to, bucketSeconds, filter: given }, { services, principal }) => {
      const filter = statsFilter(visibleJobs(given, principal))
      return services.stats.points({ from: +from, to: +to, bucketSeconds, filter })
    },
  }),
)

/** Of another tenant there is as much as of one that does not exist. */
function statsFilter({ ns, ...filter }: JobsFilter): StatsFilter {
  const others = Object.keys(filter).filter((name) => !(statsFilterNames as readonly string[]).includes(name))
  if (others.length > 0 || (ns && ns.length > 0))
    throw new GanchoError('BAD_REQUEST', `Statistics are kept by ${statsFilterNames.join(', ')} alone.`)
  return ns ? { cnpj: '' } : filter
}
