import { z } from 'zod'
import type { QueueCounts } from '../delivery/queue-overview.ts'
import { type QueueSnapshot, shortestStepMs } from '../delivery/queue-stats.ts'
import type { SeenWorker } from '../delivery/seen-workers.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'

/** With the counts that it is shown with, or without: then they are read. */
type QueueParent = { name: string; counts?: QueueCounts }

const read =
  <Name extends keyof QueueCounts>(name: Name) =>
  async (queue: QueueParent, _args: object, { loaders }: GraphqlContext): Promise<QueueCounts[Name]> =>
    (queue.counts ?? (await loaders.queueCounts.load(queue.name)))[name]

export const QueueRef = builder.objectRef<QueueParent>('Queue').implement({
  description:
    'A named queue with its own workers. What it holds of all tenants together, administrators see.',
})

const authScopes = { admin: true }

builder.objectFields(QueueRef, (t) => {
  const count = (name: 'waiting' | 'active' | 'delayed' | 'failed', description: string) =>
    t.int({ description, authScopes, resolve: read(name) })
  const rate = (name: 'inPerSecond' | 'outPerSecond', description: string) =>
    t.float({ description, authScopes, resolve: read(name) })
  return {
    name: t.exposeString('name'),
    waiting: count('waiting', 'Jobs that are ready for a worker.'),
    active: count('active', 'Jobs in the hands of workers.'),
    delayed: count('delayed', 'Jobs that wait for their next attempt.'),
    failed: count('failed', 'Jobs in the error queue beside it.'),
    paused: t.boolean({
      description: 'Whether its workers are told to take nothing.',
      authScopes,
      resolve: read('paused'),
    }),
    pausedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when.',
      authScopes,
      resolve: async ({ name }, _args, { loaders }) => (await loaders.queuePause.load(name))?.at ?? null,
    }),
    pausedBy: t.string({
      nullable: true,
      description: 'The administrator who paused it.',
      authScopes,
      resolve: async ({ name }, _args, { loaders }) => (await loaders.queuePause.load(name))?.by ?? null,
    }),
    oldestWaitingAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when the oldest job that is ready for a worker is so; null when none is.',
      authScopes,
      resolve: read('oldestWaitingAt'),
    }),
    inPerSecond: rate('inPerSecond', 'Jobs accepted for it or queued again, over the last minute.'),
    outPerSecond: rate('outPerSecond', 'Jobs delivered, failed for good or discarded, over the last minute.'),
  }
})

const WorkerRef = builder.objectRef<SeenWorker>('QueueWorker').implement({
  description: 'A process that makes deliveries.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Host, process id and something that no other has.' }),
    seenAt: t.expose('seenAt', { type: 'DateTime', description: 'When it last told that it lives.' }),
  }),
})

builder.objectField(QueueRef, 'workers', (t) =>
  t.field({
    type: [WorkerRef],
    description: 'Those that told so within the last 20 seconds. Each works on every queue.',
    authScopes,
    resolve: (_queue, _args, { loaders }) => loaders.workers.load('all'),
  }),
)

builder.queryFields((t) => ({
  queue: t.field({
    type: QueueRef,
    nullable: true,
    authScopes,
    args: { name: t.arg.string({ required: true }) },
    resolve: (_root, { name }, { services }) =>
      services.lanes.all().find((lane) => lane.name === name) ?? null,
  }),
  queues: t.field({
    type: [QueueRef],
    authScopes,
    resolve: (_root, _args, { services }) => services.lanes.all(),
  }),
}))

const longestMs = 60_000
const everyMs = z
  .number()
  .min(shortestStepMs, `everyMs takes at least ${shortestStepMs}`)
  .max(longestMs, `everyMs takes at most ${longestMs}`)

builder.subscriptionField('queueStats', (t) =>
  t.field({
    type: [QueueRef],
    description: 'What the queues hold: now, and from then on about as often as asked for.',
    authScopes,
    args: {
      name: t.arg.string({ description: 'That queue alone.' }),
      everyMs: t.arg.int({
        defaultValue: 2_000,
        description: `From ${shortestStepMs} to ${longestMs} ms, rounded up to one of a few steps.`,
        validate: everyMs.nullish(),
      }),
    },
    subscribe: async (
      _root,
      { name, everyMs },
      { services },
    ): Promise<AsyncIterable<readonly QueueSnapshot[]>> => {
      if (name != null) services.lanes.get(name)
      return services.queueStats.watch(everyMs ?? 2_000)
    },
    resolve: (snapshots, { name }) => snapshots.filter((one) => name == null || one.name === name),
  }),
)
