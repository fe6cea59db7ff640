import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 100

/** Resolves when the SQLite file has `count` delivered jobs more than `before`, or nothing has been added for `stallMs`. */
export async function untilRecorded(
  path: string,
  { before, count, stallMs }: { before: number; count: number; stallMs: number },
): Promise<{ recorded: number; lastAt: number }> {
  let recorded = 0
  let lastAt = performance.now()
  while (recorded < count && performance.now() - lastAt < stallMs) {
    await sleep(lookMs)
    const now = deliveredIn(path) - before
    if (now > recorded) lastAt = performance.now()
    recorded = now
  }
  return { recorded, lastAt }
}

/** How many delivered jobs the history in this SQLite file has. */
export function deliveredIn(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return Number(database.prepare(`SELECT count(*) AS n FROM jobs WHERE status = 'DELIVERED'`).get()?.n)
  } finally {
    database.close()
  }
}
