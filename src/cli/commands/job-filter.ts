import type { Command } from 'commander'
import { several, statuses } from './options.ts'

/** What jobs are chosen by, as options. */
export type JobFilterOptions = {
  status?: string[]
  queue?: string
  destination?: string
  cnpj?: string
  type?: string
  id?: string[]
  from?: string
  to?: string
  text?: string
}

/** Adds the options that choose jobs. */
export const addJobFilter = (command: Command, ofStatus: string): Command =>
  command
    .option('-s, --status <status>', ofStatus, statuses)
    .option('-q, --queue <queue>', 'of this queue')
    .option('--destination <id>', 'for this destination')
    .option('--cnpj <cnpj>', 'of this tenant')
    .option('-t, --type <type>', 'of this event type')
    .option('--id <id>', 'these alone; may be given several times', several)
    .option('--from <time>', 'received from this time on, such as 2026-11-22T18:00:00Z')
    .option('--to <time>', 'received before this time')
    .option('--text <words>', 'with these words in the body or the failure')

/** The same as GraphQL's `JobFilter`. */
export const jobFilterOf = (options: JobFilterOptions) => ({
  ids: options.id,
  cnpj: options.cnpj,
  queue: options.queue,
  destination: options.destination,
  statuses: options.status,
  eventType: options.type,
  receivedFrom: options.from,
  receivedTo: options.to,
  text: options.text,
})
