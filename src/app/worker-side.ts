import { deliveryWindows } from '../delivery/delivery-window.ts'
import { termsOfSettings } from '../delivery/destination-terms.ts'
import { createPump } from '../delivery/pump.ts'
import { createQueuePauses } from '../delivery/queue-pauses.ts'
import { createSweeper } from '../delivery/sweeper.ts'
import { createDispatcher } from '../events/dispatcher.ts'
import { dropAttempts } from '../history/drop-attempts.ts'
import { forgetJobs, forgetOver, forgetProjected } from '../history/forget-jobs.ts'
import { createMaintenance } from '../history/maintenance.ts'
import { createProjector } from '../history/projector.ts'
import { trimJournal } from '../journal/trim-journal.ts'
import { createLease } from '../redis/lease.ts'
import { repeat } from '../redis/repeat.ts'
import { bulkRunnerOf } from './bulks.ts'
import { createDelivery } from './delivery.ts'
import { exchangingQueues } from './destinations.ts'
import { tellingOperations } from './operations.ts'
import { retentionMs, statsKept } from './retention.ts'
import { handBackMs, within } from './within.ts'
import { openWorkerParts, type WorkerDeps, type WorkerParts } from './worker-parts.ts'

export type WorkerSide = {
  start(): void
  /** Finishes what is in flight; after `withinMs` attempts are broken off and handed back. */
  close(withinMs: number): Promise<void>
}

const pumpEveryMs = 500
const projectorLeaseMs = 10_000

/** Dispatcher, delivery, sweeper, projector and maintenance. */
export function createWorkerSide(deps: WorkerDeps): WorkerSide {
  const parts = openWorkerParts(deps)
  const dispatcher = dispatcherOf(parts)
  const pump = pumpOf(parts)
  const delivery = createDelivery(parts, pump.termsOf)
  const projector = projectorOf(parts)
  const maintenance = maintenanceOf(parts)
  const sweeper = sweeperOf(parts, maintenance.schedule)
  const queues = exchangingQueues(parts.lanes, deps.log)
  const bulks = bulkRunnerOf(parts)
  const pauses = pausesOf(parts)
  const operations = tellingOperations(parts)
  return {
    start() {
      const all = [
        pump,
        delivery,
        dispatcher,
        sweeper,
        projector,
        maintenance,
        queues,
        bulks,
        pauses,
        operations,
      ]
      for (const part of all) part.start()
    },
    async close(withinMs) {
      // Each of them waits for Redis, which may be away for longer than anyone waits for the end.
      const inTurn = [dispatcher, sweeper, pump, bulks, operations]
      const stopped = Promise.all(inTurn.map((part) => part.stop()))
      await Promise.all([within(stopped, withinMs + handBackMs), delivery.close(withinMs)])
      await within(
        Promise.all([projector.stop(), maintenance.close(), queues.stop(), pauses.stop()]),
        handBackMs,
      )
      await within(parts.lanes.close(), handBackMs)
    },
  }
}

function dispatcherOf({ config, foundation, redis, transitions, lanes, log, owner }: WorkerParts) {
  return createDispatcher({
    reader: foundation.connections.dedicated('inbox'),
    redis,
    transitions,
    lanes,
    hasRoom: foundation.memory.hasRoom,
    log,
    consumer: owner,
    claimAfterMs: config.SWEEP_INTERVAL_MS,
  })
}

function pumpOf({ config, redis, transitions, destinations, owner, log }: WorkerParts) {
  const termsOfKnown = termsOfSettings({
    breaker: {
      failureRate: config.BREAKER_FAILURE_RATE,
      attempts: config.BREAKER_MIN_ATTEMPTS,
      coolDownMs: config.BREAKER_COOLDOWN_SECONDS * 1_000,
    },
    shutHoursOf: deliveryWindows(),
    places: () => pump.places(),
    now: () => pump.now(),
  })
  const { directory } = destinations
  const termsOf = (id: string) => {
    const known = directory.get(id)
    return known && termsOfKnown(known.settings)
  }
  const concurrency = config.WORKER_CONCURRENCY
  const { find } = directory
  const pump = createPump({ redis, transitions, termsOf, find, owner, concurrency, clock: Date.now })
  const { start, stop } = repeat({ name: 'pump', log, everyMs: pumpEveryMs, turn: pump.turn })
  return {
    termsOf,
    start,
    async stop() {
      await stop()
      await pump.leave()
    },
  }
}

function pausesOf({ config, redis, lanes, log }: WorkerParts) {
  const pauses = createQueuePauses({ redis, lanes })
  return repeat({ name: 'pauses', log, everyMs: config.SWEEP_INTERVAL_MS, turn: pauses.apply })
}

function projectorOf({ foundation, redis, records, log, owner }: WorkerParts) {
  return createProjector({
    reader: foundation.connections.dedicated('journal'),
    redis,
    records,
    history: foundation.stores.history,
    forget: forgetOver(redis),
    dropAttempts: dropAttempts(redis),
    lease: createLease(redis, 'projector', owner, projectorLeaseMs),
    epoch: foundation.dataSet.current,
    log,
  })
}

function maintenanceOf({ config, foundation, redis, lanes, errorQueue, records, log }: WorkerParts) {
  return createMaintenance({
    redis,
    connectionOf: foundation.connections.patientOf,
    lanes,
    errorQueue,
    records,
    forgetFailed: forgetJobs(redis, ['FAILED']),
    history: foundation.stores.history,
    tenants: foundation.stores.tenants,
    log,
    retentionMs: retentionMs(config),
    statsKept: statsKept(config),
    stats: foundation.stores.stats,
    maxJournalEntries: config.JOURNAL_MAX_ENTRIES,
    cron: config.MAINTENANCE_CRON,
    now: Date.now,
  })
}

/** `onNewDataSet`: called once for each data set, the first included, before it is swept. */
function sweeperOf(parts: WorkerParts, onNewDataSet: () => Promise<void>) {
  const { config, foundation, redis, records, transitions, lanes, errorQueue, log, owner } = parts
  const graceMs = config.SWEEP_INTERVAL_MS
  const lease = createLease(redis, 'sweeper', owner, graceMs)
  const forget = forgetProjected(redis)
  const now = Date.now
  const sweeper = createSweeper({
    redis,
    records,
    transitions,
    lanes,
    errorQueue,
    forget,
    log,
    graceMs,
    now,
  })
  let knownEpoch: string | undefined
  const turn = async () => {
    const epoch = await foundation.dataSet.current()
    if (epoch !== knownEpoch) await onNewDataSet()
    knownEpoch = epoch
    if (!(await lease.hold())) return
    await sweeper.sweep()
    const oldestMs = now() - retentionMs(config)
    await trimJournal(redis, { maxEntries: config.JOURNAL_MAX_ENTRIES, oldestMs })
  }
  return repeat({ name: 'sweeper', log, everyMs: graceMs / 2, turn })
}
