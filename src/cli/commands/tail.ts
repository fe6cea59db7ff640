import type { Command } from 'commander'
import { tailDocument } from '../documents.ts'
import { exitCodes } from '../failure.ts'
import { type Output, printable } from '../output.ts'
import type { Act, Session } from '../session.ts'
import { follow } from '../stream/follow.ts'
import { statusText, timeText } from './job-text.ts'
import { several, statuses, wholeNumber } from './options.ts'

type Options = {
  status?: string[]
  queue?: string
  cnpj?: string
  type?: string
  id?: string[]
  after?: string
  count?: number
}
type Change = {
  __typename: 'JobStatusChanged'
  cursor: string
  jobId: string
  status: string
  previousStatus: string | null
  attempt: number | null
  at: string
}
type Gap = { __typename: 'JobEventsGap'; cursor: string; reason: string }
type Result = { jobEvents: Change | Gap }

const retryMs = 500
const mostRetryMs = 30_000
/** Gancho says something every few seconds, if only that it is there. */
const silenceMs = 60_000

export function addTail(program: Command, act: Act): void {
  const command = program
    .command('tail')
    .summary('show live how the statuses of jobs change')
    .description(
      'Shows how the statuses of jobs change, as it happens, until Ctrl-C. A stream that breaks is taken up where it was, ' +
        'and what is missing then is said. --json prints one message a line.',
    )
    .option('-s, --status <status>', 'changes to this status; may be given several times', statuses)
    .option('-q, --queue <queue>', 'of jobs of this queue')
    .option('--cnpj <cnpj>', 'of jobs of this tenant')
    .option('-t, --type <type>', 'of jobs of this event type')
    .option('--id <id>', 'of these jobs; may be given several times', several)
    .option('--after <cursor>', 'begin behind this cursor')
    .option('-n, --count <number>', 'end after so many messages', wholeNumber(1, 1_000_000_000))
  act<Options>(command, tail)
}

async function tail(session: Session, options: Options): Promise<number> {
  const { output, api, interrupted, json } = session
  const { status, queue, cnpj, type, id, count = Number.POSITIVE_INFINITY } = options
  const filter = { ids: id, cnpj, queue, statuses: status, eventType: type }
  const open = (cursor: string | undefined, signal: AbortSignal) => {
    const body = { query: tailDocument, variables: { filter, after: cursor } }
    return api.subscribe(body, { lastEventId: cursor, signal })
  }
  const onLost = (problem: Error, delayMs: number) =>
    output.remark(`${printable(problem.message)} Trying again in ${(delayMs / 1_000).toFixed(1)} s.`)
  const followed = follow({
    ...{ open, after: options.after, onLost, signal: interrupted },
    ...{ retryMs, mostRetryMs, silenceMs, random: Math.random },
  })
  let shown = 0
  let last: string | undefined
  for await (const { data, cursor } of followed) {
    const { jobEvents: message } = data as Result
    last = cursor ?? message.cursor
    if (json) output.raw(`${JSON.stringify(message)}\n`)
    else output.line(textOf(message, output))
    shown += 1
    if (shown >= count) break
  }
  if (last !== undefined && !json) output.remark(`To go on from here: gancho tail --after ${last}`)
  return exitCodes.ok
}

function textOf(message: Change | Gap, output: Output): string {
  if (message.__typename === 'JobEventsGap')
    return output.style('yellow', `Changes are missing here: ${printable(message.reason)}`)
  const { jobId, status, previousStatus, attempt, at } = message
  const before = previousStatus ? `${output.style('gray', previousStatus)} → ` : ''
  const times = attempt ? output.style('gray', ` (attempt ${attempt})`) : ''
  return `${output.style('gray', timeText(at))}  ${printable(jobId).padEnd(10)}  ${before}${statusText(status, output)}${times}`
}
