import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { isOver, type Job } from '../events/job.ts'
import { lostWithRedis } from '../events/job-record.ts'
import type { JobRecords } from '../events/job-records.ts'
import { type JournalEntry, parseEntry, type RawEntry } from '../journal/entry.ts'
import { keys } from '../redis/keys.ts'
import type { Lease } from '../redis/lease.ts'
import { type Repeating, repeat } from '../redis/repeat.ts'
import { loadScript } from '../redis/scripts.ts'
import type { DropAttempts } from './drop-attempts.ts'
import type { ForgetJobs } from './forget-jobs.ts'
import type { HistoryStore, ProjectorPosition } from './history-store.ts'
import { countEntries } from './job-stats.ts'

type Deps = {
  /** A connection of its own: it blocks. */
  reader: Redis
  redis: Redis
  records: JobRecords
  history: Pick<HistoryStore, 'position' | 'record' | 'failUnfinished' | 'jobs'>
  forget: ForgetJobs
  dropAttempts: DropAttempts
  /** Only its holder projects; a second one for a moment writes the same rows and harms nothing. */
  lease: Lease
  /** The data set that Redis holds now. */
  epoch: () => Promise<string>
  log: Logger
}

const start = '0-0'
/** Changes read at a time: of a job that goes fast, most of them come together, and it is written once. */
const batchSize = 2_000
/** Jobs written at a time, so that whoever else writes, and the event loop, has to wait for few. */
const partJobs = 500
/** Bodies and attempts written at a time, in bytes, about. */
const partBytes = 8 * 1024 * 1024
const blockMs = 1_000
/** How long the next changes gather after fewer than a batch: a job that goes fast has them all within it, and is written once. */
const gatherMs = 50
const pauseMs = 1_000

/**
 * Copies the journal into history: for every job that changed, its record as it is now. Records of jobs that are over are deleted
 * once they are written. While the database is down it waits, and the journal keeps what it needs.
 */
export function createProjector(deps: Deps): Repeating {
  const { reader, redis, records, history, lease } = deps
  const setProjected = loadScript(redis, 'set-projected')
  let position: ProjectorPosition | undefined

  const failAll = async () => {
    const failure = lostWithRedis(Date.now())
    let failed = 0
    for (let batch = partJobs; batch === partJobs; failed += batch) {
      batch = await history.failUnfinished(failure, partJobs)
    }
    if (failed > 0)
      deps.log.error({ jobs: failed }, 'the Redis data set is a new one; jobs of the lost one are FAILED')
  }

  /** Where history ends; the beginning for a data set that it has not seen. */
  const resume = async (epoch: string) => {
    const stored = await history.position()
    const isKnown = stored?.epoch === epoch
    // Nobody works on what a lost data set left unfinished. History has nothing of the new one yet.
    if (stored && !isKnown) await failAll()
    const journalId = isKnown ? stored.journalId : start
    await setProjected([keys.projected], [journalId])
    return { epoch, journalId }
  }

  const read = async (after: string): Promise<JournalEntry[]> => {
    const options = ['COUNT', batchSize, 'BLOCK', blockMs, 'STREAMS', keys.journal, after] as const
    const streams = (await reader.xread(...options)) as [string, RawEntry[]][] | null
    return (streams?.[0]?.[1] ?? []).map(parseEntry)
  }

  /** Records go as soon as history has their last state, which may be before their last change is read: then history knows. */
  const count = async (changes: readonly JournalEntry[], receivedAt: Map<number, number>) => {
    const missing = changes.filter(({ n, status }) => status === 'DELIVERED' && !receivedAt.has(n))
    if (missing.length > 0)
      for (const job of await history.jobs(missing.map(({ n }) => n))) receivedAt.set(job.n, job.receivedAt)
    return countEntries(changes, receivedAt)
  }

  /**
   * The position moves with the last part: until then a crash makes the whole batch be read again, which changes nothing. Undefined
   * when history stands elsewhere by then.
   */
  const project = async (changes: readonly JournalEntry[], from: ProjectorPosition) => {
    const ns = [...new Set(changes.map(({ n }) => n))]
    // A body never changes, so it is read once: when its job was received.
    const received = new Set(changes.filter(({ status }) => status === 'RECEIVED').map(({ n }) => n))
    const to = { epoch: from.epoch, journalId: changes.at(-1)?.id ?? from.journalId }
    const over: Job[] = []
    const receivedAt = new Map<number, number>()
    let rest = ns
    do {
      const part = rest.slice(0, partJobs)
      const { snapshots, rest: unread } = await records.snapshots(part, received, partBytes)
      rest = [...unread, ...rest.slice(partJobs)]
      for (const { job } of snapshots) receivedAt.set(job.n, job.receivedAt)
      if (rest.length > 0) await history.record(snapshots, from)
      else if (!(await history.record(snapshots, to, { from, stats: await count(changes, receivedAt) })))
        return undefined
      await deps.dropAttempts(snapshots.filter(({ job }) => !isOver(job)))
      over.push(...snapshots.map(({ job }) => job).filter(isOver))
    } while (rest.length > 0)
    await setProjected([keys.projected], [to.journalId])
    await deps.forget(over)
    return to
  }

  const turn = async (): Promise<boolean> => {
    if (!(await lease.hold())) {
      position = undefined
      return false
    }
    const epoch = await deps.epoch()
    if (position?.epoch !== epoch) position = await resume(epoch)
    const changes = await read(position.journalId)
    // While this waited, the journal may have become that of another data set.
    const isSame = changes.length > 0 && (await deps.epoch()) === epoch
    if (isSame) position = await project(changes, position)
    if (changes.length > 0 && changes.length < batchSize) await sleep(gatherMs)
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
