import type { Command } from 'commander'
import { documents } from '../documents.ts'
import { CliError, exitCodes } from '../failure.ts'
import { type Output, printable } from '../output.ts'
import type { Act, Session } from '../session.ts'
import { table } from '../table.ts'
import { cell, statusText, timeText } from './job-text.ts'

type Attempt = {
  number: number
  round: number
  startedAt: string
  outcome: string
  statusCode: number | null
  error: string | null
  timing: { totalMs: number }
}
type Job = {
  id: string
  eventId: string
  status: string
  explanation: string
  eventType: string | null
  correlationId: string | null
  destinationId: string
  reprocessCount: number
  reported: string | null
  receivedAt: string
  body: string | null
  tenant: { cnpj: string; name: string }
  queue: { name: string }
  attempts: Attempt[]
}

export function addJob(program: Command, act: Act): void {
  const command = program
    .command('job <id>')
    .description('show a job, what its status means, and its attempts')
    .option('--body', 'print the body of its event alone, as it came')
  act<{ body?: boolean }>(command, show)
}

async function show({ api, output, json }: Session, { body }: { body?: boolean }, [id = '']: string[]) {
  const { job } = await api.graphql<{ job: Job | null }>(documents.job, { id })
  if (!job) throw new CliError(exitCodes.failed, `There is no job ${id}.`, { code: 'JOB_NOT_FOUND' })
  if (body) printBody(job, output)
  else if (json) output.json(job)
  else for (const line of textOf(job, output)) output.line(line)
  return exitCodes.ok
}

function printBody({ id, body }: Job, output: Output): void {
  if (body === null) throw new CliError(exitCodes.failed, `The body of ${id} is not UTF-8 text.`)
  output.raw(body)
}

function textOf(job: Job, output: Output): string[] {
  const facts = [
    ['Type', job.eventType],
    ['Tenant', `${job.tenant.cnpj} ${job.tenant.name}`],
    ['Queue', job.queue.name],
    ['Destination', job.destinationId],
    ['Event', job.eventId],
    ['Correlation', job.correlationId],
    ['Received', `${timeText(job.receivedAt)} UTC`],
    ['Reprocessed', job.reprocessCount > 0 ? `${job.reprocessCount} times` : null],
    ['Reported', job.reported],
  ] as const
  const heading = `${output.style('bold', job.id)}  ${statusText(job.status, output)}`
  const known = facts.flatMap(([name, value]) => (value ? [`  ${name.padEnd(13)}${printable(value)}`] : []))
  return [heading, printable(job.explanation), '', ...known, '', ...attemptsOf(job)]
}

function attemptsOf({ attempts }: Job): string[] {
  if (attempts.length === 0) return ['No attempt is finished yet.']
  const rows = attempts.map((attempt) => [
    String(attempt.number),
    String(attempt.round),
    timeText(attempt.startedAt),
    attempt.outcome,
    String(attempt.statusCode ?? '-'),
    `${Math.round(attempt.timing.totalMs)} ms`,
    cell(attempt.error),
  ])
  return table(['ATTEMPT', 'ROUND', 'AT (UTC)', 'OUTCOME', 'STATUS', 'TOOK', 'ERROR'], rows)
}
