import type { Redis } from 'ioredis'
import { keys } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import { type Bulk, type BulkPlan, ownerOf, skippedCount } from './bulk.ts'

export type BulkProgress = Pick<Bulk, 'cursor' | 'batch' | 'done' | 'skipped'>

/** Bulks live in Redis beside the records that they change: what a crash or a restart of Redis undoes, it undoes for both. */
export type BulkStore = {
  /** Writes it down; with an id that is there, changes nothing. `busy`: its owner has as many running as are allowed. */
  create(id: string, plan: BulkPlan): Promise<'created' | 'exists' | 'busy'>
  /** Null for one that is not there, or not any more. */
  read(id: string): Promise<Bulk | null>
  /** Ids of those that are not over, the oldest first. */
  running(): Promise<string[]>
  /** Moves it on from the step at which `bulk` was read; false when somebody else did, and nothing was written. */
  advance(bulk: Bulk, progress: BulkProgress): Promise<boolean>
  /** Ends it: COMPLETED, unless it was cancelled. False as in `advance`. */
  end(bulk: Bulk, skipped: Bulk['skipped']): Promise<boolean>
  /** Takes one off the list whose record is gone. */
  forget(id: string): Promise<void>
  /** Has it stop after the batch in hand. Changes nothing when it is over. */
  cancel(id: string): Promise<void>
}

type Options = {
  /** How long an ended one can be read. */
  keepMs: number
  /** How many of one owner may run at a time. */
  maxOf: (owner: string) => number
}

/** Of all owners together. */
const maxRunning = 1_000

export function createBulkStore(redis: Redis, { keepMs, maxOf }: Options): BulkStore {
  const create = loadScript(redis, 'bulk-create')
  const step = loadScript(redis, 'bulk-step')
  const cancel = loadScript(redis, 'bulk-cancel')
  const move = async (bulk: Bulk, endAfterMs: number | '', fields: Record<string, string | number>) => {
    const args = [bulk.id, bulk.step, endAfterMs, ...Object.entries(fields).flat()]
    return (await step([keys.bulk(bulk.id), keys.bulks], args)) === 1
  }
  return {
    async create(id, plan) {
      const owner = ownerOf(plan.by)
      const args: ScriptArgument[] = [
        keys.bulkPrefix,
        id,
        owner,
        maxOf(owner),
        maxRunning,
        JSON.stringify(plan),
      ]
      return (await create([keys.bulks], args)) as 'created' | 'exists' | 'busy'
    },
    async read(id) {
      const fields = await redis.hgetall(keys.bulk(id))
      return fields.plan === undefined ? null : bulkOf(id, fields)
    },
    running: () => redis.zrange(keys.bulks, '0', '-1'),
    advance: (bulk, { cursor, batch, done, skipped }) =>
      move(bulk, '', { cursor, done, batch: JSON.stringify(batch), skipped: JSON.stringify(skipped) }),
    end: (bulk, skipped) => move(bulk, keepMs, { skipped: JSON.stringify(skipped) }),
    async forget(id) {
      await redis.zrem(keys.bulks, id)
    },
    async cancel(id) {
      await cancel([keys.bulk(id)], [])
    },
  }
}

function bulkOf(id: string, fields: Record<string, string>): Bulk {
  const plan = JSON.parse(fields.plan ?? '') as BulkPlan
  const progress = {
    done: Number(fields.done),
    skipped: JSON.parse(fields.skipped ?? '{}') as Bulk['skipped'],
  }
  return {
    ...plan,
    ...progress,
    id,
    total: Math.max(plan.total, progress.done + skippedCount(progress)),
    status: fields.status as Bulk['status'],
    step: Number(fields.step),
    cursor: Number(fields.cursor),
    batch: JSON.parse(fields.batch ?? '[]') as Bulk['batch'],
    finishedAt: fields.finishedAt === undefined ? null : Number(fields.finishedAt),
  }
}
