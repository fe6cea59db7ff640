import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { deliverJob } from '../delivery/deliver-job.ts'
import type { Destination } from '../delivery/destination.ts'
import { createHttpClient } from '../delivery/http-client.ts'
import { createRetryPolicy } from '../delivery/retry-policy.ts'
import { createSweeper } from '../delivery/sweeper.ts'
import { createWorkers } from '../delivery/worker.ts'
import { createDispatcher } from '../events/dispatcher.ts'
import { createJobRecords } from '../events/job-records.ts'
import { defaultDestinationId, defaultQueue } from '../events/routing.ts'
import { createTransitions } from '../events/transitions.ts'
import { forgetJobs, forgetProjected, overStatuses } from '../history/forget-jobs.ts'
import { createMaintenance } from '../history/maintenance.ts'
import { createProjector } from '../history/projector.ts'
import { trimJournal } from '../journal/trim-journal.ts'
import { createLease } from '../redis/lease.ts'
import { repeat } from '../redis/repeat.ts'
import type { Core } from './core.ts'
import type { Foundation } from './foundation.ts'

export type WorkerSide = {
  start(): void
  /** Finishes what is in flight; after `withinMs` attempts are broken off and handed back. */
  close(withinMs: number): Promise<void>
}

type Deps = {
  config: Config
  foundation: Foundation
  core: Core
  log: Logger
  /** Name of this process, unique. */
  owner: string
  destinationUrl: string
}

const dayMs = 86_400_000
/** How long a worker may take to record an outcome after its attempt's deadline, before its job counts as lost. */
const leaseMarginMs = 2_000
/** Time for attempts that were broken off to be recorded. */
const handBackMs = 3_000

/** Dispatcher, delivery, sweeper, projector and maintenance. */
export function createWorkerSide(deps: Deps): WorkerSide {
  const { config, foundation, log, core } = deps
  const dispatcher = dispatcherOf(deps)
  const delivery = deliveryOf(deps)
  const projector = projectorOf(deps)
  const maintenance = createMaintenance({
    redis: foundation.connections.patient,
    lanes: core.lanes,
    errorQueue: core.errorQueue,
    records: createJobRecords(foundation.connections.patient),
    forgetFailed: forgetJobs(foundation.connections.patient, ['FAILED']),
    history: foundation.stores.history,
    log,
    retentionMs: config.RETENTION_DAYS * dayMs,
    maxJournalEntries: config.JOURNAL_MAX_ENTRIES,
    cron: config.MAINTENANCE_CRON,
    now: Date.now,
  })
  const sweeper = sweeperOf(deps, maintenance.schedule)
  return {
    start() {
      delivery.start()
      dispatcher.start()
      sweeper.start()
      projector.start()
      maintenance.start()
    },
    async close(withinMs) {
      await Promise.all([dispatcher.stop(), sweeper.stop(), delivery.close(withinMs)])
      await Promise.all([projector.stop(), maintenance.close()])
    },
  }
}

function dispatcherOf({ config, foundation, core, log, owner }: Deps) {
  const { connections } = foundation
  return createDispatcher({
    reader: connections.dedicated('inbox'),
    redis: connections.patient,
    transitions: createTransitions(connections.patient, { graceMs: config.SWEEP_INTERVAL_MS }),
    lanes: core.lanes,
    log,
    consumer: owner,
    claimAfterMs: config.SWEEP_INTERVAL_MS,
  })
}

function deliveryOf({ config, foundation, core, log, owner, destinationUrl }: Deps) {
  const client = createHttpClient({ connectTimeoutMs: config.CONNECT_TIMEOUT_MS })
  const aborting = new AbortController()
  const destination: Destination = {
    id: defaultDestinationId,
    url: destinationUrl,
    queue: defaultQueue,
    headers: {},
    timeoutMs: config.ATTEMPT_TIMEOUT_MS,
  }
  const deliverDeps = {
    transitions: createTransitions(foundation.connections.patient, { graceMs: config.SWEEP_INTERVAL_MS }),
    errorQueue: core.errorQueue,
    client,
    destination: (id: string) => (id === destination.id ? destination : undefined),
    policy: createRetryPolicy({
      scheduleSeconds: config.RETRY_SCHEDULE_SECONDS,
      finalStatuses: config.FINAL_STATUS_CODES,
    }),
    leaseMarginMs,
    maxTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    log,
    now: Date.now,
    aborted: aborting.signal,
  }
  const workers = createWorkers({
    redis: foundation.connections.patient,
    lanes: core.lanes,
    deliver: (job, name) => deliverJob(deliverDeps, job, name),
    log,
    owner,
    concurrency: config.WORKER_CONCURRENCY,
    lockDurationMs: config.LOCK_DURATION_MS,
  })
  return {
    start: workers.start,
    async close(withinMs: number) {
      const drained = workers.drain()
      await within(drained, withinMs)
      aborting.abort()
      await within(drained, handBackMs)
      await within(workers.close(), handBackMs)
      await client.close()
    },
  }
}

/** Waits for `done`, but no longer than `ms`. */
async function within(done: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined)
  await Promise.race([done, late])
  timer.abort()
}

/** `onNewDataSet`: called once for each data set, the first included, before it is swept. */
function sweeperOf({ config, foundation, core, log, owner }: Deps, onNewDataSet: () => Promise<void>) {
  const { patient } = foundation.connections
  const lease = createLease(patient, 'sweeper', owner, config.SWEEP_INTERVAL_MS)
  const sweeper = createSweeper({
    redis: patient,
    records: createJobRecords(patient),
    transitions: createTransitions(patient, { graceMs: config.SWEEP_INTERVAL_MS }),
    lanes: core.lanes,
    errorQueue: core.errorQueue,
    forget: forgetProjected(patient),
    log,
    graceMs: config.SWEEP_INTERVAL_MS,
    now: Date.now,
  })
  let knownEpoch: string | undefined
  const turn = async () => {
    const epoch = await foundation.dataSet.current()
    if (epoch !== knownEpoch) await onNewDataSet()
    knownEpoch = epoch
    if (!(await lease.hold())) return false
    await sweeper.sweep()
    const oldestMs = Date.now() - config.RETENTION_DAYS * dayMs
    await trimJournal(patient, { maxEntries: config.JOURNAL_MAX_ENTRIES, oldestMs })
    return false
  }
  return repeat({ name: 'sweeper', log, everyMs: config.SWEEP_INTERVAL_MS / 2, turn })
}

const projectorLeaseMs = 10_000

function projectorOf({ foundation, log, owner }: Deps) {
  const { connections, stores, dataSet } = foundation
  return createProjector({
    reader: connections.dedicated('journal'),
    redis: connections.patient,
    records: createJobRecords(connections.patient),
    history: stores.history,
    forget: forgetJobs(connections.patient, overStatuses),
    lease: createLease(connections.patient, 'projector', owner, projectorLeaseMs),
    epoch: dataSet.current,
    log,
  })
}
