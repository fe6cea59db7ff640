import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Lease } from '../redis/lease.ts'
import { type Repeating, repeat } from '../redis/repeat.ts'
import { type Bulk, skippedCount } from './bulk.ts'
import type { BulkStore } from './bulk-store.ts'
import type { BulkWork } from './bulk-work.ts'

type Deps = {
  store: BulkStore
  work: BulkWork
  /** Only its holder works on a bulk; a second one for a moment does nothing twice. */
  leaseOf: (id: string) => Lease
  /** Whether Redis has memory for jobs that come back. */
  hasRoom: () => Promise<boolean>
  /** Tells whoever watches this bulk. */
  tell: (id: string) => Promise<unknown>
  log: Logger
  /** How often it is seen whether there is something to do. */
  everyMs?: number
}

/** Of one process. Those that are beyond them are another's, or wait. */
const maxAtOnce = 10
const tellEveryMs = 500
const retryMs = 1_000

/** Works on the bulks that nobody else has, each at its own rate; what another process leaves behind, it takes up. */
export function createBulkRunner(deps: Deps): Repeating {
  const { store, log, everyMs = 500 } = deps
  const stopping = new AbortController()
  const inHand = new Map<string, Repeating>()

  const takeUp = async (id: string) => {
    const lease = deps.leaseOf(id)
    if (!(await lease.hold())) return
    const turns = turnsOf(deps, id, stopping.signal)
    const turn = async () => {
      if ((await lease.hold()) && (await turns())) return true
      inHand.delete(id)
      void one.stop()
      await lease.release()
      return false
    }
    const one = repeat({ name: `bulk ${id}`, log, everyMs: retryMs, turn })
    inHand.set(id, one)
    one.start()
  }
  const look = async () => {
    for (const id of await store.running()) {
      if (stopping.signal.aborted || inHand.size >= maxAtOnce) break
      if (!inHand.has(id)) await takeUp(id)
    }
  }
  const looking = repeat({ name: 'bulks', log, everyMs, turn: look })
  return {
    start: looking.start,
    async stop() {
      stopping.abort()
      await looking.stop()
      const left = [...inHand]
      await Promise.all(left.map(([, one]) => one.stop()))
      // They end by themselves.
      await Promise.all(
        left.map(([id]) =>
          deps
            .leaseOf(id)
            .release()
            .catch(() => undefined),
        ),
      )
    },
  }
}

/** Each call does one batch of the bulk; false when there is nothing more to do here. */
function turnsOf(deps: Deps, id: string, signal: AbortSignal): () => Promise<boolean> {
  const { store, work } = deps
  /** The batch that this process wrote down itself, by its step. */
  let own: number | undefined
  let nextAt = 0
  let toldAt = 0

  const tell = async (isOver: boolean) => {
    if (!isOver && Date.now() - toldAt < tellEveryMs) return
    toldAt = Date.now()
    // Who watches looks by himself, too.
    await deps.tell(id).catch(() => undefined)
  }
  const end = async (bulk: Bulk) => {
    const unseen = bulk.total - bulk.done - skippedCount(bulk)
    const isWhole = bulk.status === 'RUNNING' && unseen > 0
    const skipped = isWhole ? { ...bulk.skipped, CHANGED: unseen } : bulk.skipped
    if (!(await store.end(bulk, skipped))) return true
    await tell(true)
    return false
  }
  const rest = async (ms: number) => {
    await sleep(Math.min(ms, retryMs), undefined, { signal }).catch(() => undefined)
    return !signal.aborted
  }
  const begin = async (bulk: Bulk) => {
    if (bulk.status !== 'RUNNING') return end(bulk)
    // What is discarded makes room.
    const hasRoom = bulk.action === 'DISCARD' || (await deps.hasRoom())
    const waitMs = hasRoom ? nextAt - Date.now() : retryMs
    // Cancelled meanwhile, perhaps: it is read again.
    if (waitMs > 0) return rest(waitMs)
    const next = await work.next(bulk)
    if (!next) return rest(retryMs)
    const { batch, cursor } = next
    if (batch.length === 0 && cursor >= bulk.upTo) return end(bulk)
    if (await store.advance(bulk, { ...bulk, batch, cursor })) own = bulk.step + 1
    return true
  }
  return async () => {
    const bulk = await store.read(id)
    if (!bulk) {
      await store.forget(id)
      return false
    }
    if (bulk.batch.length === 0) return begin(bulk)
    nextAt = Math.max(nextAt, Date.now()) + (bulk.batch.length * 1_000) / bulk.ratePerSecond
    const isResumed = own !== bulk.step
    // Whatever fails in the middle leaves a part of it done.
    own = undefined
    const { done, skipped } = await work.work(bulk, isResumed)
    await store.advance(bulk, { ...bulk, batch: [], done: bulk.done + done, skipped })
    await tell(false)
    return true
  }
}
