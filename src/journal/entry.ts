/** One status change of a job, as `writeChange` of the scripts writes it. Times are epoch milliseconds. */
export type JournalEntry = {
  /** Stream id, `<ms>-<seq>`. */
  id: string
  /** Number of the job. */
  n: number
  status: string
  /** Null for the first change of a job. */
  previous: string | null
  round: number
  /** Attempts made by then, over all rounds. */
  attempts: number
  eventId: string
  cnpj: string
  destination: string
  queue: string
  eventType: string | null
  at: number
}

/** An entry as Redis answers it: its id, then names and values in turn. */
export type RawEntry = [id: string, fields: string[]]

export function parseEntry([id, fields]: RawEntry): JournalEntry {
  const values = fields.length === 2 ? (fields[1] ?? '').split(' ') : valuesOfFields(fields)
  const [n, status = '', previous, round, attempts, eventId = '', cnpj = '', destination = '', ...rest] =
    values
  const [queue = '', at, ...type] = rest
  return {
    id,
    n: Number(n),
    status,
    previous: previous || null,
    round: Number(round),
    attempts: Number(attempts),
    eventId,
    cnpj,
    destination,
    queue,
    eventType: type.join(' ') || null,
    at: Number(at),
  }
}

/** Earlier versions wrote each value into a field of its own, the type before the time. The journal may still have such entries. */
function valuesOfFields(fields: readonly string[]): string[] {
  const values = fields.filter((_, i) => i % 2 === 1)
  const [type = '', at = ''] = values.splice(9)
  return [...values, at, type]
}

/** Memory that an entry takes, about: its texts and what holds them. */
export const entryBytes = ({ destination, queue, eventType }: JournalEntry): number =>
  400 + destination.length + queue.length + (eventType?.length ?? 0)
