import type { AddressGuard } from '../../src/delivery/address-guard.ts'
import { type DeliverDeps, deliverJob } from '../../src/delivery/deliver-job.ts'
import { deliveryWindows, type ShutHoursOf } from '../../src/delivery/delivery-window.ts'
import type { Destination } from '../../src/delivery/destination.ts'
import { type BreakerPolicy, destinationTerms } from '../../src/delivery/destination-terms.ts'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import type { FoundDestination } from '../../src/delivery/find-destination.ts'
import { createHttpClient, type HttpClient } from '../../src/delivery/http-client.ts'
import { createRetryPolicy } from '../../src/delivery/retry-policy.ts'
import { createWorkers } from '../../src/delivery/worker.ts'
import type { Core } from './core.ts'

type Parts = Pick<Core, 'redis' | 'lanes' | 'transitions' | 'errorQueue' | 'log'>

type Options = {
  url: string
  scheduleSeconds?: readonly number[]
  /** Long enough that no busy machine makes an attempt twice, unless given. */
  timeoutMs?: number
  concurrency?: number
  blockMs?: number
  lockDurationMs?: number
  leaseMarginMs?: number
  /** What it sets itself, also while deliveries go on; with an id of its own it is none of the environment's. */
  destination?: Partial<Destination>
  disable?: DeliverDeps['disable']
  find?: DeliverDeps['find']
  guard?: AddressGuard
  /** In place of one that sends. */
  client?: HttpClient
  shutHoursOf?: ShutHoursOf
  /** There is none unless given. */
  breaker?: BreakerPolicy
}

const noBreaker = { failureRate: 1, attempts: 0, coolDownMs: 1 }
let owners = 0

/** Workers that deliver to `url` as the app's do, with short times. `stop` waits for what is in flight. */
export function startDelivery({ redis, lanes, transitions, errorQueue, log }: Parts, options: Options) {
  const { url, timeoutMs = 20_000, scheduleSeconds = [0, 0, 0] } = options
  const client =
    options.client ??
    createHttpClient({ connectTimeoutMs: timeoutMs, ...(options.guard && { guard: options.guard }) })
  const destination = () => ({ ...environmentDestination(url), ...options.destination })
  const around = {
    ...{
      breaker: options.breaker ?? noBreaker,
      shutHoursOf: options.shutHoursOf ?? deliveryWindows(),
      now: Date.now,
    },
    places: () => options.concurrency ?? 10,
  }
  const deps = {
    ...{ transitions, errorQueue, log },
    clientFor: () => client,
    disable: options.disable ?? (async () => undefined),
    find:
      options.find ??
      (async (): Promise<FoundDestination> => ({ kind: 'known', destination: destination() })),
    termsOf: () => destinationTerms(destination(), around),
    defaults: {
      policy: createRetryPolicy({ scheduleSeconds }),
      timeoutMs,
      blockMs: options.blockMs ?? 60_000,
    },
    leaseMarginMs: options.leaseMarginMs ?? 500,
    now: Date.now,
    aborted: new AbortController().signal,
  }
  owners += 1
  const workers = createWorkers({
    ...{ lanes, log },
    connectionOf: () => redis,
    deliver: (job, owner) => deliverJob(deps, job, owner),
    keep: transitions.keep,
    owner: `worker-${owners}`,
    concurrency: options.concurrency ?? 10,
    lockDurationMs: options.lockDurationMs ?? 30_000,
  })
  workers.start()
  return {
    deps,
    async stop() {
      await workers.drain()
      await workers.close()
      await client.close()
    },
  }
}
