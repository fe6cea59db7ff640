import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { documents } from '../documents.ts'
import { CliError, exitCodes } from '../failure.ts'
import { printable } from '../output.ts'
import type { Act, Session } from '../session.ts'
import { addJobFilter, type JobFilterOptions, jobFilterOf } from './job-filter.ts'
import { wholeNumber } from './options.ts'

type Options = JobFilterOptions & { rate?: number; reason?: string; yes?: boolean }
type Preview = {
  count: number
  hasMore: boolean
  oldestAt: string | null
  token: string
  sample: { id: string }[]
}
type Bulk = {
  id: string
  status: string
  total: number
  done: number
  skipped: { reason: string; count: number }[]
  finishedAt: string | null
}

const lookEveryMs = 1_000

export function addBulk(program: Command, act: Act): void {
  const bulk = program.command('bulk').description('deliver many jobs again, after a look at them')
  const command = bulk
    .command('start')
    .description('show which jobs would be queued again; with --yes begin, and follow it to its end')
  const start = addJobFilter(command, 'failed unless given, or delivered')
    .option('--rate <number>', 'at most so many a second', wholeNumber(1, 1_000))
    .option('--reason <text>', 'why, kept with each of the jobs')
    .option('--yes', 'begin')
  act<Options>(start, startBulk)
  act(bulk.command('show <id>').description('show how far one is'), (session, _options, [id]) =>
    showBulk(session, id),
  )
  act(bulk.command('cancel <id>').description('stop one after the jobs in hand'), cancelBulk)
}

async function startBulk(session: Session, options: Options): Promise<number> {
  const { api, output, json } = session
  const { previewReprocess: preview } = await api.graphql<{ previewReprocess: Preview }>(documents.preview, {
    filter: jobFilterOf(options),
  })
  if (!options.yes) {
    const { token: _token, ...shown } = preview
    if (json) output.json(shown)
    else output.line(previewText(preview))
    return exitCodes.ok
  }
  const { token } = preview
  const { rate, reason } = options
  const { commitReprocess: begun } = await api.graphql<{ commitReprocess: Bulk }>(documents.commit, {
    ...{ token, rate, reason },
  })
  if (!json) output.remark(`Begun as ${begun.id}; Ctrl-C leaves it running.`)
  return follow(session, begun.id)
}

function previewText({ count, hasMore, oldestAt, sample }: Preview): string {
  if (count === 0) return 'No job matches.'
  const more = hasMore ? ', and more than one bulk takes' : ''
  return [
    `${count} jobs would be queued again${more}; the oldest is of ${oldestAt}.`,
    `  ${sample.map(({ id }) => id).join(', ')}${count > sample.length ? ', …' : ''}`,
    'Nothing was done: say --yes to begin.',
  ].join('\n')
}

/** Until it is over, or the person has seen enough. */
async function follow(session: Session, id: string): Promise<number> {
  const { interrupted, json, output } = session
  for (;;) {
    const bulk = await find(session, id)
    if (bulk.finishedAt !== null || interrupted.aborted) return report(session, bulk)
    if (!json) output.remark(`${bulk.done} of ${bulk.total}`)
    await sleep(lookEveryMs, undefined, { signal: interrupted }).catch(() => undefined)
  }
}

async function showBulk(session: Session, id = ''): Promise<number> {
  return report(session, await find(session, id))
}

async function cancelBulk(session: Session, _options: object, [id]: string[]): Promise<number> {
  const { cancelReprocess } = await session.api.graphql<{ cancelReprocess: Bulk }>(documents.cancelBulk, {
    id,
  })
  return report(session, cancelReprocess)
}

async function find({ api }: Session, id: string): Promise<Bulk> {
  const { bulkReprocess } = await api.graphql<{ bulkReprocess: Bulk | null }>(documents.bulk, { id })
  if (!bulkReprocess)
    throw new CliError(exitCodes.failed, `There is no bulk ${id}.`, { code: 'BULK_NOT_FOUND' })
  return bulkReprocess
}

function report({ output, json }: Session, bulk: Bulk): number {
  if (json) output.json(bulk)
  else {
    output.line(`${bulk.id}  ${bulk.status}: ${bulk.done} of ${bulk.total} done.`)
    for (const { reason, count } of bulk.skipped) output.line(`  ${count} left: ${printable(reason)}`)
  }
  return bulk.skipped.length > 0 ? exitCodes.failed : exitCodes.ok
}
