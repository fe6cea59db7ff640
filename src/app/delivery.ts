import type { Config } from '../config.ts'
import { deliverJob } from '../delivery/deliver-job.ts'
import type { Destination } from '../delivery/destination.ts'
import { createHttpClient } from '../delivery/http-client.ts'
import { createRetryPolicy } from '../delivery/retry-policy.ts'
import { createWorkers } from '../delivery/worker.ts'
import { defaultDestinationId, defaultQueue } from '../events/routing.ts'
import { handBackMs, within } from './within.ts'
import type { WorkerParts } from './worker-parts.ts'

/** How long a worker may take to record an outcome after its attempt's deadline, before its job counts as lost. */
const leaseMarginMs = 2_000
/** More connections than deliveries, so that none waits for one while its deadline runs. */
const spareConnections = 16

/** The workers of this process, with what they deliver by. */
export function createDelivery(parts: WorkerParts) {
  const { config, redis, lanes, errorQueue, transitions, log, owner, report } = parts
  const client = createHttpClient({
    connectTimeoutMs: config.CONNECT_TIMEOUT_MS,
    connectionsPerOrigin: config.WORKER_CONCURRENCY + spareConnections,
  })
  const aborting = new AbortController()
  const destination = environmentDestination(config, parts.destinationUrl)
  const policy = createRetryPolicy({
    scheduleSeconds: config.RETRY_SCHEDULE_SECONDS,
    forSeconds: config.RETRY_FOR_SECONDS,
    finalStatuses: config.FINAL_STATUS_CODES,
  })
  const deliverDeps = {
    ...{ transitions, errorQueue, client, policy, leaseMarginMs, log, report },
    destination: (id: string) => (id === destination.id ? destination : undefined),
    maxTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    now: Date.now,
    aborted: aborting.signal,
  }
  const workers = createWorkers({
    ...{ redis, lanes, log, owner },
    deliver: (job, name) => deliverJob(deliverDeps, job, name),
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

function environmentDestination(config: Config, url: string): Destination {
  return {
    id: defaultDestinationId,
    url,
    queue: defaultQueue,
    headers: {},
    timeoutMs: config.ATTEMPT_TIMEOUT_MS,
  }
}
