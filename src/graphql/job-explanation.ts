import { type Job, jobId } from '../events/job.ts'
import { builder } from './builder.ts'
import type { GraphqlContext } from './context.ts'
import { explain } from './explanation.ts'
import { JobRef } from './job.ts'
import { type JobWait, jobWait, type WaitReason, waitReasons } from './job-wait.ts'

const entries = Object.entries(waitReasons) as [WaitReason, string][]
const WaitReasonEnum = builder.enumType('JobWaitReason', {
  values: Object.fromEntries(entries.map(([name, description]) => [name, { description }])) as Record<
    WaitReason,
    { description: string }
  >,
})

const JobWaitRef = builder.objectRef<JobWait>('JobWait').implement({
  description: 'Why a job is not delivered yet, as of now.',
  fields: (t) => ({
    reason: t.expose('reason', { type: WaitReasonEnum }),
    until: t.expose('until', {
      type: 'DateTime',
      nullable: true,
      description: 'When that ends; null where nobody knows. With RATE and ahead: the soonest.',
    }),
    ahead: t.exposeInt('ahead', {
      nullable: true,
      description: 'Jobs of its tenant for its destination, or of its ordering key, that come before it.',
    }),
    firstId: t.id({
      nullable: true,
      description: 'With ORDER: the first job of its ordering key.',
      resolve: ({ first }) => (first === null ? null : jobId(first)),
    }),
    failureRate: t.float({
      nullable: true,
      description: 'With BREAKER: of its destination, from 0 to 1.',
      resolve: ({ reason, breaker }) => (reason === 'BREAKER' ? breaker.failureRate : null),
    }),
  }),
})

const waiting = new Set(['RECEIVED', 'QUEUED', 'HELD', 'RETRYING'])

async function waitOf(job: Job, { loaders, services }: GraphqlContext): Promise<JobWait | null> {
  if (!waiting.has(job.status)) return null
  const [gate, place, pause, attempts] = await Promise.all([
    loaders.gate.load(job.destination),
    loaders.place.load(job.n),
    loaders.queuePause.load(job.queue),
    job.status === 'RETRYING' ? loaders.attempts.load(job.n) : [],
  ])
  const known = services.destinations.directory.get(job.destination)
  const isPaused = pause !== null
  return jobWait(job, { known, gate, place, isPaused, attempt: attempts.at(-1), now: Date.now() })
}

builder.objectFields(JobRef, (t) => ({
  explanation: t.string({
    description: 'What its status means, for people.',
    resolve: async (job, _args, context) => {
      const known = context.services.destinations.directory.get(job.destination)
      return explain(job, known, await waitOf(job, context))
    },
  }),
  wait: t.field({
    type: JobWaitRef,
    nullable: true,
    description: 'Null while it is delivered, and when it is over.',
    resolve: (job, _args, context) => waitOf(job, context),
  }),
}))
