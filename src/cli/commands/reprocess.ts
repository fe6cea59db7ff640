import type { Command } from 'commander'
import type { Api } from '../api.ts'
import { documents } from '../documents.ts'
import { CliError, exitCodes, usageError } from '../failure.ts'
import { printable } from '../output.ts'
import type { Act, Session } from '../session.ts'

type Options = { queue?: string; all?: boolean }
type Result = { requeued: string[]; skipped: { id: string; reason: string }[] }

export function addReprocess(program: Command, act: Act): void {
  const command = program
    .command('reprocess [id...]')
    .description('deliver jobs again, those named or every one that rests in an error queue')
    .option('-q, --queue <queue>', 'the queue, with --all')
    .option('--all', "every job in that queue's error queue")
  act<Options>(command, reprocess)
}

async function reprocess({ api, output, json }: Session, { queue, all }: Options, ids: string[]) {
  const whole = queue !== undefined && all === true
  if (whole === ids.length > 0 || (queue !== undefined) !== (all === true))
    throw usageError('Name the jobs, or a queue with --queue <queue> --all.')
  const result = whole ? await reprocessQueue(api, queue) : await reprocessJobs(api, ids)
  if (json) output.json(result)
  else {
    output.line(`${result.requeued.length} queued again, ${result.skipped.length} not.`)
    for (const { id, reason } of result.skipped) output.line(`  ${id}: ${printable(reason)}`)
  }
  return result.skipped.length > 0 ? exitCodes.failed : exitCodes.ok
}

/** Each by itself, so that one which cannot be does not hold up the others. */
async function reprocessJobs(api: Api, ids: readonly string[]): Promise<Result> {
  const result: Result = { requeued: [], skipped: [] }
  for (const id of new Set(ids)) {
    try {
      await api.graphql(documents.reprocess, { id })
      result.requeued.push(id)
    } catch (error) {
      if (!(error instanceof CliError && error.code) || error.exitCode === exitCodes.unreachable) throw error
      result.skipped.push({ id, reason: error.code })
    }
  }
  return result
}

/**
 * A request takes a thousand jobs. Those that fail again meanwhile come back into the error queue, so no more are taken than there
 * were at the beginning.
 */
async function reprocessQueue(api: Api, name: string): Promise<Result> {
  const { queue } = await api.graphql<{ queue: { failed: number } | null }>(documents.failedIn, { name })
  const result: Result = { requeued: [], skipped: [] }
  const path = `/nifi/falha/${encodeURIComponent(name)}`
  for (;;) {
    const { requeued, skipped } = await api.rest<Result>('POST', path)
    result.requeued.push(...requeued)
    result.skipped = skipped
    if (requeued.length === 0 || result.requeued.length >= (queue?.failed ?? 0)) return result
  }
}
