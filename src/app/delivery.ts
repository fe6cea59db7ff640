import type { Config } from '../config.ts'
import type { AddressGuard } from '../delivery/address-guard.ts'
import { type DeliverDeps, deliverJob } from '../delivery/deliver-job.ts'
import { isEnvironments } from '../delivery/delivery-terms.ts'
import type { Destination } from '../delivery/destination.ts'
import { createHttpClient } from '../delivery/http-client.ts'
import { createRetryPolicy } from '../delivery/retry-policy.ts'
import { attemptTracer } from '../delivery/traced-attempt.ts'
import { createWorkers } from '../delivery/worker.ts'
import { maxQueues } from '../events/lanes.ts'
import { guardOf } from './guard.ts'
import { handBackMs, within } from './within.ts'
import type { WorkerParts } from './worker-parts.ts'

/** How long a worker may take to record an outcome after its attempt's deadline, before its job counts as lost. */
const leaseMarginMs = 2_000
/** More connections than all queues have deliveries, so that none waits for one while its deadline runs. They are opened as needed. */
const spareConnections = 16

/** The workers of this process, with what they deliver by. */
export function createDelivery(parts: WorkerParts, termsOf: DeliverDeps['termsOf']) {
  const { config, lanes, errorQueue, transitions, destinations, log, owner, report, tracing } = parts
  const clients = openClients(config, guardOf(config, parts.foundation))
  const aborting = new AbortController()
  const policy = createRetryPolicy({
    scheduleSeconds: config.RETRY_SCHEDULE_SECONDS,
    forSeconds: config.RETRY_FOR_SECONDS,
    finalStatuses: config.FINAL_STATUS_CODES,
  })
  const deliverDeps: DeliverDeps = {
    ...{ transitions, errorQueue, leaseMarginMs, log, report },
    trace: tracing && attemptTracer(tracing),
    clientFor: clients.of,
    defaults: { policy, timeoutMs: config.ATTEMPT_TIMEOUT_MS, blockMs: config.FIFO_BLOCK_SECONDS * 1_000 },
    disable: destinations.service.disable,
    find: destinations.directory.find,
    termsOf,
    now: Date.now,
    aborted: aborting.signal,
  }
  const workers = createWorkers({
    ...{ lanes, log, owner },
    connectionOf: parts.foundation.connections.patientOf,
    deliver: (job, name) => deliverJob(deliverDeps, job, name),
    keep: transitions.keep,
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
      await clients.close()
    },
  }
}

/**
 * The environment's destination is where its operator wants deliveries to go, so nothing guards it. It has connections of its own:
 * another destination with the same origin must not get to use them.
 */
function openClients(config: Config, guard: AddressGuard) {
  const options = {
    connectTimeoutMs: config.CONNECT_TIMEOUT_MS,
    connectionsPerOrigin: maxQueues * config.WORKER_CONCURRENCY + spareConnections,
  }
  const guarded = createHttpClient({ ...options, guard })
  const environments = createHttpClient(options)
  return {
    of: (destination: Destination) => (isEnvironments(destination) ? environments : guarded),
    close: () => Promise.all([guarded.close(), environments.close()]),
  }
}
