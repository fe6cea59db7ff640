import type { Command } from 'commander'
import { documents } from '../documents.ts'
import { exitCodes } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Act, Session } from '../session.ts'
import { addJobFilter, type JobFilterOptions, jobFilterOf } from './job-filter.ts'
import { cell, statusText, timeText } from './job-text.ts'
import { wholeNumber } from './options.ts'
import { showPage } from './page.ts'

type Options = JobFilterOptions & { first: number; after?: string }
type Job = {
  id: string
  status: string
  eventType: string | null
  attemptCount: number
  receivedAt: string
  updatedAt: string
  explanation: string
  tenant: { cnpj: string }
  queue: { name: string }
}
type Answer = {
  jobs: {
    edges: { node: Job }[]
    pageInfo: { hasNextPage: boolean; endCursor: string | null }
    totalCount: number
  }
}

export function addJobs(program: Command, act: Act): void {
  const command = program.command('jobs').description('list jobs, newest first')
  addJobFilter(command, 'of this status; may be given several times')
    .option('-n, --first <number>', 'at most so many', wholeNumber(1, 100), 20)
    .option('--after <cursor>', 'those that follow, as the last page said')
  act<Options>(command, list)
}

async function list({ api, output, json }: Session, options: Options): Promise<number> {
  const { first, after } = options
  const filter = jobFilterOf(options)
  const { jobs } = await api.graphql<Answer>(documents.jobs, { first, after, filter })
  const found = jobs.edges.map(({ node }) => node)
  if (json) output.json({ jobs: found, ...jobs.pageInfo, totalCount: jobs.totalCount })
  else show(found, jobs, output)
  return exitCodes.ok
}

function show(found: readonly Job[], { pageInfo, totalCount }: Answer['jobs'], output: Output): void {
  const rows = found.map((job) => [
    job.id,
    statusText(job.status, output),
    cell(job.eventType, 30),
    job.queue.name,
    job.tenant.cnpj,
    String(job.attemptCount),
    timeText(job.receivedAt),
    timeText(job.updatedAt),
  ])
  const heading = ['JOB', 'STATUS', 'TYPE', 'QUEUE', 'TENANT', 'ATTEMPTS', 'RECEIVED (UTC)', 'CHANGED (UTC)']
  showPage({ what: 'jobs', heading, rows, ...pageInfo, totalCount }, output)
}
