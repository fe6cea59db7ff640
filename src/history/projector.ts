import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { JobRecords } from '../events/job-records.ts'
import { keys } from '../redis/keys.ts'
import type { Lease } from '../redis/lease.ts'
import { type Repeating, repeat } from '../redis/repeat.ts'
import { type ForgetJobs, isOver } from './forget-jobs.ts'
import type { HistoryStore } from './history-store.ts'

type Deps = {
  /** A connection of its own: it blocks. */
  reader: Redis
  redis: Redis
  records: JobRecords
  history: HistoryStore
  forget: ForgetJobs
  /** Only its holder projects; a second one for a moment writes the same rows and harms nothing. */
  lease: Lease
  /** The data set that Redis holds now. */
  epoch: () => Promise<string>
  log: Logger
}

const start = '0-0'
const batchSize = 500
const blockMs = 1_000
const pauseMs = 1_000

/**
 * Copies the journal into history: for every job that changed, its record as it is now. Records of jobs that are over are deleted
 * once they are written. While the database is down it waits, and the journal keeps what it needs.
 */
export function createProjector(deps: Deps): Repeating {
  const { reader, redis, records, history, lease } = deps
  let position: { epoch: string; journalId: string } | undefined

  /** Where history ends; the beginning for a data set that it has not seen. */
  const resume = async (epoch: string) => {
    const stored = await history.position()
    const journalId = stored?.epoch === epoch ? stored.journalId : start
    await redis.set(keys.projected, journalId)
    return { epoch, journalId }
  }

  const read = async (after: string) => {
    const options = ['COUNT', batchSize, 'BLOCK', blockMs, 'STREAMS', keys.journal, after] as const
    const streams = (await reader.xread(...options)) as [string, [string, string[]][]][] | null
    return streams?.[0]?.[1] ?? []
  }

  const project = async (entries: readonly [string, string[]][], epoch: string, journalId: string) => {
    const ns = new Set(entries.map(([, fields]) => Number(fields[1])))
    const snapshots = await records.snapshots([...ns])
    await history.record(snapshots, { epoch, journalId })
    await redis.set(keys.projected, journalId)
    await deps.forget(snapshots.map(({ job }) => job).filter(isOver))
  }

  const turn = async (): Promise<boolean> => {
    if (!(await lease.hold())) {
      position = undefined
      return false
    }
    const epoch = await deps.epoch()
    if (position?.epoch !== epoch) position = await resume(epoch)
    const entries = await read(position.journalId)
    const last = entries.at(-1)
    if (!last) return true
    await project(entries, epoch, last[0])
    position = { epoch, journalId: last[0] }
    return true
  }

  const repeating = repeat({ name: 'projector', log: deps.log, everyMs: pauseMs, turn })
  return {
    start: repeating.start,
    async stop() {
      await repeating.stop()
      await lease.release().catch(() => undefined) // It ends by itself.
    },
  }
}
