/** One status change of a job, as the `journal` function of the scripts writes it. Times are epoch milliseconds. */
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

/** The fields are always the same, in the order in which the scripts' `journal` writes them: only values are looked at. */
export function parseEntry([id, fields]: RawEntry): JournalEntry {
  const value = (i: number) => fields[2 * i + 1] ?? ''
  return {
    id,
    n: Number(value(0)),
    status: value(1),
    previous: value(2) || null,
    round: Number(value(3)),
    attempts: Number(value(4)),
    eventId: value(5),
    cnpj: value(6),
    destination: value(7),
    queue: value(8),
    eventType: value(9) || null,
    at: Number(value(10)),
  }
}

/** Memory that an entry takes, about: its texts and what holds them. */
export const entryBytes = ({ destination, queue, eventType }: JournalEntry): number =>
  400 + destination.length + queue.length + (eventType?.length ?? 0)
