import { pino } from 'pino'
import type { Bulk } from '../../src/bulk/bulk.ts'
import { createBulkRunner } from '../../src/bulk/bulk-runner.ts'
import { createBulkStore } from '../../src/bulk/bulk-store.ts'
import { createBulkWork } from '../../src/bulk/bulk-work.ts'
import type { Reprocess } from '../../src/delivery/reprocess.ts'
import { channels } from '../../src/redis/keys.ts'
import type { Lease } from '../../src/redis/lease.ts'
import type { Repeating } from '../../src/redis/repeat.ts'
import { until } from './client.ts'
import type { TestServices } from './services.ts'

type Options = { reprocess?: Reprocess; lease?: Lease; hasRoom?: () => Promise<boolean> }

/** For as many as want it at the same time, as when one of them was taken for dead. */
const noLease: Lease = { hold: async () => true, release: async () => undefined }

/** Bulks of these services, and runners of them as workers have. */
export function bulkWorld(services: TestServices) {
  const { redis, stores, jobs } = services
  const store = createBulkStore(redis, { keepMs: 60_000, maxOf: () => 100 })
  const running: Repeating[] = []
  const troubles: string[] = []
  const log = pino({ level: 'error' }, { write: (line) => troubles.push(line) })
  return {
    store,
    startRunner({
      reprocess = services.reprocess,
      lease = noLease,
      hasRoom = async () => true,
    }: Options = {}) {
      const runner = createBulkRunner({
        ...{ store, hasRoom, leaseOf: () => lease, log, everyMs: 20 },
        work: createBulkWork({ history: stores.history, jobs, reprocess }),
        tell: (id) => redis.publish(channels.bulks, JSON.stringify(id)),
      })
      running.push(runner)
      runner.start()
      return runner
    },
    /** Waits until the bulk is over, and shows it. */
    async over(id: string) {
      let bulk: Bulk | null = null
      const ended = async () => {
        bulk = await store.read(id)
        return bulk !== null && bulk.finishedAt !== null && bulk
      }
      const seen = () =>
        `${id} is over, last seen as ${JSON.stringify(bulk)} after ${troubles.join('') || 'no trouble'}`
      return until(ended, { what: seen })
    },
    async stop() {
      await Promise.all(running.splice(0).map((one) => one.stop()))
    },
  }
}
