/**
 * Dispatches until its first batch and then ends as `kill -9` would: with `before-add` when the records are QUEUED and BullMQ knows
 * nothing yet, with `after-add` when BullMQ has the jobs and the inbox still has the entries. Arguments: Redis' url, the moment.
 */
import { createDispatcher } from '../../src/events/dispatcher.ts'
import type { Lanes } from '../../src/events/lanes.ts'
import { openCore } from './core.ts'

const [url = '', moment] = process.argv.slice(2)
const { connections, redis, transitions, lanes, log } = await openCore(url)
const deadly: Lanes = {
  ...lanes,
  async add(entries) {
    if (moment === 'after-add') await lanes.add(entries)
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => undefined)
  },
}
createDispatcher({
  ...{ redis, transitions, lanes: deadly, log, consumer: 'doomed', claimAfterMs: 60_000 },
  reader: connections.dedicated('inbox'),
  hasRoom: async () => true,
}).start()
