import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 100
const blockJobs = 1_000

export type Delivered = {
  /** How many delivered jobs there are now. */
  count(): number
  close(): void
}

/**
 * Counts the delivered jobs in the history of this SQLite file. Numbers of which all are delivered are not read again, so that looking
 * often takes nothing worth telling, however long the history is.
 */
export function openDelivered(path: string): Delivered {
  const database = new DatabaseSync(path, { readOnly: true })
  const between = database.prepare(
    `SELECT count(*) AS jobs FROM jobs WHERE status = 'DELIVERED' AND n > ? AND n <= ?`,
  )
  const countBetween = (from: number, to: number) => Number(between.get(from, to)?.jobs)
  let whole = 0
  return {
    count() {
      while (countBetween(whole, whole + blockJobs) === blockJobs) whole += blockJobs
      return whole + countBetween(whole, Number.MAX_SAFE_INTEGER)
    },
    close: () => database.close(),
  }
}

/** Resolves when there are `count` delivered jobs more than `before`, or nothing has been added for `stallMs`. */
export async function untilRecorded(
  delivered: Delivered,
  { before, count, stallMs }: { before: number; count: number; stallMs: number },
): Promise<{ recorded: number; lastAt: number }> {
  let recorded = 0
  let lastAt = performance.now()
  while (recorded < count && performance.now() - lastAt < stallMs) {
    await sleep(lookMs)
    const now = delivered.count() - before
    if (now > recorded) lastAt = performance.now()
    recorded = now
  }
  return { recorded, lastAt }
}
