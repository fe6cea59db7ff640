import { z } from 'zod'
import type { ErrorQueue } from '../delivery/error-queue.ts'
import type { Reprocess, ReprocessRequest } from '../delivery/reprocess.ts'
import { GanchoError } from '../errors.ts'
import { type Job, jobId, parseJobId, type RoundAudit, type RoundTrigger } from '../events/job.ts'
import type { Lanes } from '../events/lanes.ts'
import type { JobReader } from '../history/job-reader.ts'
import { type Principal, requesterOf } from '../tenants/principal.ts'
import { jsonBody } from './json-body.ts'
import type { Route, RouteRequest } from './route.ts'

type Deps = { lanes: Lanes; errorQueue: ErrorQueue; jobs: JobReader; reprocess: Reprocess }

/** Most jobs that one request queues again. */
const maxJobs = 1_000

const errorText = z.string('error must be a text').max(4_000, 'error has at most 4,000 characters').optional()
const round = z.int('round must be a whole number').min(0, 'round starts at 0').optional()
const report = z.union([
  z.strictObject({ id: z.string(), error: errorText, round }),
  z.strictObject({ ids: z.array(z.string()).min(1).max(maxJobs), error: errorText, round }),
])

/**
 * `POST /nifi/falha/:queue`: with `id` or `ids`, downstream reports that it could not process these jobs, delivered or not: why is
 * recorded and they are delivered again. With an empty body, every job in the error queue is, up to 1,000 a request.
 */
export function failedJobsRoute(deps: Deps): Route {
  return {
    method: 'POST',
    path: '/nifi/falha/:queue',
    access: 'any',
    async handle(request) {
      const queue = request.params.queue ?? ''
      deps.lanes.get(queue)
      const isReport = request.body.length > 0
      const requests = isReport
        ? await reported(deps, queue, request)
        : await resting(deps, queue, request.principal)
      const answers = await requeueAll(deps.reprocess, requests)
      return { status: 202, body: { queue, ...answers } }
    },
  }
}

async function requeueAll(reprocess: Reprocess, requests: readonly ReprocessRequest[]) {
  const requeued: string[] = []
  const skipped: { id: string; reason: string }[] = []
  for (const request of requests) {
    const outcome = await reprocess.reprocess(request)
    if (outcome.kind === 'requeued') requeued.push(jobId(request.n))
    else skipped.push({ id: jobId(request.n), reason: outcome.reason })
  }
  return { requeued, skipped }
}

/** Nothing is queued again when one of the ids is wrong: the caller learns of it before anything happened. */
async function reported(deps: Deps, queue: string, request: RouteRequest): Promise<ReprocessRequest[]> {
  const input = readReport(request)
  const ns = [...new Set(input.ids.map(parseJobId))]
  const jobs = new Map((await deps.jobs.jobs(ns)).map((job) => [job.n, job]))
  for (const n of ns) {
    const job = jobs.get(n)
    if (!job || job.queue !== queue || !mayTouch(request.principal, job)) {
      throw new GanchoError('JOB_NOT_FOUND', `There is no job ${jobId(n)} in queue ${queue}.`)
    }
  }
  const audit = auditOf('REPORTED', request.principal, input.error)
  return ns.map((n) => ({ n, round: input.round, report: input.error, audit }))
}

function readReport(request: RouteRequest): { ids: string[]; error: string; round: number | undefined } {
  const parsed = report.safeParse(jsonBody(request))
  if (!parsed.success) {
    throw new GanchoError(
      'BAD_REQUEST',
      `Expected {"id":"ID-7","error":"…"} or {"ids":["ID-7"],"error":"…"} with 1 to ${maxJobs} ids, error and round optional.`,
    )
  }
  const { error, round } = parsed.data
  const ids = 'id' in parsed.data ? [parsed.data.id] : parsed.data.ids
  return { ids, error: error || 'reported by downstream', round }
}

/**
 * The oldest jobs of the error queue. A tenant's own ones are looked up in history, so that nobody else's are looked through, and
 * among the newest entries, which history may not have yet.
 */
async function resting(deps: Deps, queue: string, principal: Principal): Promise<ReprocessRequest[]> {
  const { errorQueue, jobs } = deps
  const audit = auditOf('MANUAL', principal, null)
  if (principal.kind === 'admin')
    return (await errorQueue.page(queue, 0, maxJobs)).map((job) => ({ ...job, audit }))
  const filter = { cnpj: principal.tenant.cnpj, queue, statuses: ['FAILED'] as const }
  const known = await jobs.list(filter, { limit: maxJobs, fromEnd: true })
  const newest = await errorQueue.page(queue, Math.max(0, (await errorQueue.count(queue)) - maxJobs), maxJobs)
  const found = await jobs.jobs([...new Set([...known, ...newest].map(({ n }) => n))])
  const own = found.filter((job) => job.status === 'FAILED' && mayTouch(principal, job))
  return own
    .map(({ n, round }) => ({ n, round, audit }))
    .sort((a, b) => a.n - b.n)
    .slice(0, maxJobs)
}

const auditOf = (trigger: RoundTrigger, principal: Principal, reason: string | null): RoundAudit => ({
  trigger,
  by: requesterOf(principal),
  reason,
})

const mayTouch = (principal: Principal, job: Job) =>
  principal.kind === 'admin' || principal.tenant.cnpj === job.cnpj
