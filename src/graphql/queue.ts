import type { QueueCounts } from '../delivery/queue-overview.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'

const read =
  <Name extends keyof QueueCounts>(name: Name) =>
  async (queue: { name: string }, _args: object, { loaders }: GraphqlContext): Promise<QueueCounts[Name]> =>
    (await loaders.queueCounts.load(queue.name))[name]

export const QueueRef = builder.objectRef<{ name: string }>('Queue').implement({
  description:
    'A named queue with its own workers. What it holds of all tenants together, administrators see.',
})

builder.objectFields(QueueRef, (t) => {
  const count = (name: Exclude<keyof QueueCounts, 'paused'>, description: string) =>
    t.int({ description, authScopes: { admin: true }, resolve: read(name) })
  return {
    name: t.exposeString('name'),
    waiting: count('waiting', 'Jobs that are ready for a worker.'),
    active: count('active', 'Jobs in the hands of workers.'),
    delayed: count('delayed', 'Jobs that wait for their next attempt.'),
    failed: count('failed', 'Jobs in the error queue beside it.'),
    paused: t.boolean({
      description: 'Whether its workers are told to take nothing.',
      authScopes: { admin: true },
      resolve: read('paused'),
    }),
  }
})

builder.queryFields((t) => ({
  queue: t.field({
    type: QueueRef,
    nullable: true,
    authScopes: { admin: true },
    args: { name: t.arg.string({ required: true }) },
    resolve: (_root, { name }, { services }) =>
      services.lanes.all().find((lane) => lane.name === name) ?? null,
  }),
  queues: t.field({
    type: [QueueRef],
    authScopes: { admin: true },
    resolve: (_root, _args, { services }) => services.lanes.all(),
  }),
}))
