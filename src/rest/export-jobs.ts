import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { type Job, jobId, jobStatuses } from '../events/job.ts'
import type { JobsFilter } from '../history/history-store.ts'
import type { JobReader } from '../history/job-reader.ts'
import { jobNumber, visibleJobs } from '../history/visible-jobs.ts'
import { parseCnpj } from '../tenants/cnpj.ts'
import type { Route, RouteRequest } from './route.ts'

type Deps = { jobs: Pick<JobReader, 'search' | 'bodies'> }

/** Jobs read at a time. Bodies have up to a megabyte each. */
const pageSize = 200
const pageSizeWithBodies = 10
/** Exports under way in one process. */
const mostExports = 10

const time = z.iso.datetime({ offset: true, error: 'is no time such as 2026-11-22T12:00:00Z' })
const date = time.transform((text) => new Date(text))
const query = z.strictObject({
  ids: z.array(z.string()).optional(),
  cnpj: z.string().transform(parseCnpj).optional(),
  queue: z.string().optional(),
  destination: z.string().optional(),
  statuses: z.array(z.enum(jobStatuses)).optional(),
  eventType: z.string().optional(),
  receivedFrom: date.optional(),
  receivedTo: date.optional(),
  text: z.string().optional(),
  include: z.literal('body', 'can be body alone').optional(),
  after: z
    .string()
    .refine((id) => jobNumber(id) !== undefined, 'is no id such as ID-7')
    .optional(),
})
const lists = ['ids', 'statuses']

/**
 * `GET /admin/jobs.ndjson`: every job that matches, newest first, one JSON object a line. The query takes the fields of GraphQL's
 * `JobFilter` (lists separated by commas, or repeated), `include=body`, and `after=ID-7`, which goes on behind that job.
 */
export function exportJobsRoute({ jobs }: Deps): Route {
  let underWay = 0
  return {
    method: 'GET',
    path: '/admin/jobs.ndjson',
    access: 'any',
    async handle(request) {
      const { include, after, ...given } = checkedQuery(request.query)
      const filter = visibleJobs(given, request.principal)
      const from = after === undefined ? undefined : jobNumber(after)
      if (underWay >= mostExports)
        throw new GanchoError('TOO_MANY_STREAMS', undefined, { retryAfterSeconds: 10 })
      underWay += 1
      const done = () => {
        underWay -= 1
      }
      const lines = exported({ jobs }, filter, {
        from,
        withBodies: include === 'body',
        signal: request.signal,
      })
      const headers = { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' }
      return { status: 200, headers, lines: await begun(lines, done) }
    },
  }
}

/** @throws GanchoError BAD_REQUEST */
function checkedQuery(params: RouteRequest['query']) {
  const given = Object.fromEntries(
    [...new Set(params.keys())].map((name) => {
      const values = params.getAll(name)
      return [name, lists.includes(name) ? values.flatMap((value) => value.split(',')) : values.at(-1)]
    }),
  )
  const parsed = query.safeParse(given)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${String(path[0] ?? 'query')}: ${message}`)
  throw new GanchoError('BAD_REQUEST', `${problems.join('; ')}.`)
}

type Options = { from: number | undefined; withBodies: boolean; signal: AbortSignal }

/** Reads a page when the one before it is sent, so that nothing is held meanwhile but that page. */
async function* exported(
  { jobs }: Deps,
  filter: JobsFilter,
  { from, withBodies, signal }: Options,
): AsyncGenerator<string> {
  const limit = withBodies ? pageSizeWithBodies : pageSize
  for (let after = from ?? null; !signal.aborted; ) {
    const page = { limit, ...(after === null ? {} : { after }) }
    const { jobs: found, reached } = await jobs.search(filter, page)
    const bodies = withBodies ? await jobs.bodies(found.map(({ n }) => n)) : undefined
    for (const job of found) yield `${JSON.stringify({ ...shown(job), ...shownBody(bodies?.get(job.n)) })}\n`
    after = found.length === limit ? (found.at(-1)?.n ?? null) : reached
    if (after === null) return
  }
}

/** The first line is read before anything is answered, so that what fails at once is an error answer. */
async function begun(lines: AsyncGenerator<string>, done: () => void): Promise<AsyncGenerator<string>> {
  try {
    return withFirst(await lines.next(), lines, done)
  } catch (error) {
    done()
    throw error
  }
}

async function* withFirst(
  first: IteratorResult<string>,
  lines: AsyncGenerator<string>,
  done: () => void,
): AsyncGenerator<string> {
  try {
    if (first.done) return
    yield first.value
    yield* lines
  } finally {
    done()
  }
}

const iso = (at: number | null) => at && new Date(at).toISOString()

/** By the names that GraphQL has for it. */
const shown = (job: Job) => ({
  id: jobId(job.n),
  eventId: job.eventId,
  cnpj: job.cnpj,
  destinationId: job.destination,
  queue: job.queue,
  eventType: job.eventType,
  correlationId: job.correlationId,
  contentType: job.contentType,
  status: job.status,
  attemptCount: job.attempts,
  reprocessCount: job.round,
  headers: job.headers,
  failure: job.failure && {
    ...job.failure,
    firstAttemptAt: iso(job.failure.firstAttemptAt),
    lastAttemptAt: iso(job.failure.lastAttemptAt),
    failedAt: iso(job.failure.failedAt),
  },
  reported: job.reported,
  receivedAt: iso(job.receivedAt),
  updatedAt: iso(job.updatedAt),
  nextAttemptAt: iso(job.nextAttemptAt),
  deliveredAt: iso(job.deliveredAt),
})

function shownBody(body: Buffer | undefined) {
  if (!body) return {}
  return isUtf8(body) ? { body: body.toString() } : { bodyBase64: body.toString('base64') }
}
