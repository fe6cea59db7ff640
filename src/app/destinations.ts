import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { checkDestinationUrl } from '../delivery/address-guard.ts'
import { type DestinationDirectory, destinationDirectory } from '../delivery/destination-directory.ts'
import { type DestinationService, destinationService } from '../delivery/destination-service.ts'
import { environmentDestination } from '../delivery/environment-destination.ts'
import { eventFilters } from '../delivery/event-filter.ts'
import { disablingTold } from '../delivery/operations.ts'
import { destinationRouter } from '../delivery/route-events.ts'
import { isQueueName, type Lanes } from '../events/lanes.ts'
import type { Router } from '../events/routing.ts'
import { channels } from '../redis/keys.ts'
import { type Repeating, repeat } from '../redis/repeat.ts'
import { tenantInvalidation } from '../tenants/invalidation.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import type { Foundation } from './foundation.ts'
import { guardOf } from './guard.ts'
import { handBackMs, within } from './within.ts'

/** Where events go, as this process knows it and as people change it. */
export type Destinations = {
  directory: DestinationDirectory
  service: DestinationService
  route: Router
  /** Whether this destination delivers the jobs of an ordering key one after the other. */
  keepsOrder(id: string): boolean
  /** Reads them all: no event may be routed before. @throws GanchoError DATABASE_UNAVAILABLE */
  load(): Promise<void>
  /** Begins to follow changes. */
  start(): void
  close(): Promise<void>
}

type Deps = {
  config: Config
  foundation: Foundation
  lanes: Lanes
  cipher: TokenCipher
  log: Logger
  destinationUrl: string
}

/** How soon a queue that another process has opened is opened here, and how often it is seen whether destinations are to be read. */
const turnMs = 1_000
/** Longest time for which a change that this instance was not told of goes unnoticed. */
const maxTtlMs = 60_000
const filterBounds = { budgetMs: 50, maxBodyBytes: 1_048_576 }

export function createDestinations(deps: Deps): Destinations {
  const { config, foundation, lanes, cipher, log, destinationUrl } = deps
  const { connections, stores } = foundation
  const store = stores.destinations
  const directory = destinationDirectory({
    ...{ store, cipher, log },
    environment: environmentDestination(destinationUrl, config.DESTINATION_SECRET),
    ttlMs: Math.min(config.TOKEN_CACHE_TTL_SECONDS * 1_000, maxTtlMs),
  })
  const invalidation = tenantInvalidation({
    publisher: connections.commands,
    subscriber: connections.dedicated('destinations'),
    channel: channels.destinationsChanged,
    onInvalidate: directory.invalidate,
    log,
  })
  const guard = guardOf(config, foundation)
  const service = destinationService({
    ...{ store, directory, invalidation, cipher, lanes },
    tellOfDisabling: disablingTold(connections.patient, Date.now),
    checkUrl: (text) => checkDestinationUrl(text, guard),
  })
  const turns = [refreshing(directory, log), exchangingQueues(lanes, log, directory)]
  return {
    ...{ directory, service },
    route: destinationRouter({ directory, judge: eventFilters(filterBounds), log, now: Date.now }),
    keepsOrder: (id) => directory.get(id)?.settings.fifo ?? false,
    async load() {
      await Promise.all([directory.load(), lanes.exchangeNames()])
    },
    start() {
      for (const turn of turns) turn.start()
    },
    async close() {
      invalidation.close()
      // One of them may be waiting for a database that does not answer.
      await within(Promise.all(turns.map((turn) => turn.stop())), handBackMs)
    },
  }
}

function refreshing(directory: DestinationDirectory, log: Logger): Repeating {
  return repeat({ name: 'destinations', log, everyMs: turnMs, turn: directory.turn })
}

/** Opens the queues that destinations name, and those that other processes have opened. */
export function exchangingQueues(
  lanes: Lanes,
  log: Logger,
  directory?: Pick<DestinationDirectory, 'queues'>,
): Repeating {
  const turn = async () => {
    for (const queue of directory?.queues() ?? []) if (isQueueName(queue)) lanes.open(queue)
    await lanes.exchangeNames()
  }
  return repeat({ name: 'queues', log, everyMs: turnMs, turn })
}
