import { createDataSet } from '../../src/history/data-set.ts'
import { dropAttempts } from '../../src/history/drop-attempts.ts'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import { createProjector } from '../../src/history/projector.ts'
import { keys } from '../../src/redis/keys.ts'
import { createLease } from '../../src/redis/lease.ts'
import type { Core } from './core.ts'
import { startTestStores } from './sqlite-stores.ts'

/** History in an SQLite file of its own, and the projector that writes it and deletes the records of jobs that are over. */
export async function startProjecting({ connections, redis, records, log }: Core) {
  const stores = await startTestStores()
  await redis.del(keys.history)
  const dataSet = await createDataSet(redis, stores.history)
  const projector = createProjector({
    ...{ redis, records, log, history: stores.history, epoch: dataSet.current },
    reader: connections.dedicated('journal'),
    forget: forgetOver(redis),
    dropAttempts: dropAttempts(redis),
    lease: createLease(redis, 'projector', 'test', 10_000),
  })
  projector.start()
  return {
    ...{ stores, dataSet },
    async stop() {
      await projector.stop()
      await stores.close()
    },
  }
}
