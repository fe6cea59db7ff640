import { type Logger, pino } from 'pino'
import { createBulks } from '../../src/app/bulks.ts'
import { checkDestinationUrl } from '../../src/delivery/address-guard.ts'
import { destinationDirectory } from '../../src/delivery/destination-directory.ts'
import { destinationService } from '../../src/delivery/destination-service.ts'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import { createErrorQueue } from '../../src/delivery/error-queue.ts'
import { eventFilters } from '../../src/delivery/event-filter.ts'
import { createGates } from '../../src/delivery/gates.ts'
import { createJobPlaces } from '../../src/delivery/job-places.ts'
import { disablingTold } from '../../src/delivery/operations.ts'
import { createQueueOverview } from '../../src/delivery/queue-overview.ts'
import { createQueuePauses } from '../../src/delivery/queue-pauses.ts'
import { createQueueStats } from '../../src/delivery/queue-stats.ts'
import { createReprocess } from '../../src/delivery/reprocess.ts'
import { destinationRouter } from '../../src/delivery/route-events.ts'
import { createIntake } from '../../src/events/intake.ts'
import { createJobRecords, type JobRecords } from '../../src/events/job-records.ts'
import { createLanes, type Lanes } from '../../src/events/lanes.ts'
import { createSpentOfBurst } from '../../src/events/rate-limit.ts'
import { defaultQueue } from '../../src/events/routing.ts'
import { createTransitions } from '../../src/events/transitions.ts'
import { createDataSet } from '../../src/history/data-set.ts'
import { dropAttempts } from '../../src/history/drop-attempts.ts'
import { forgetOver } from '../../src/history/forget-jobs.ts'
import type { HistoryStore } from '../../src/history/history-store.ts'
import { createJobReader } from '../../src/history/job-reader.ts'
import { createProjector } from '../../src/history/projector.ts'
import { createStatsReader } from '../../src/history/stats-reader.ts'
import { isAtOrBefore } from '../../src/journal/journal-id.ts'
import { createLiveJournal } from '../../src/journal/live-journal.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { keys } from '../../src/redis/keys.ts'
import { createLease } from '../../src/redis/lease.ts'
import type { Stores } from '../../src/storage/open-stores.ts'
import { createCorrelator } from '../../src/sync/correlator.ts'
import { memoryPubSub } from '../../src/sync/memory-pub-sub.ts'
import type { Upstream } from '../../src/sync/upstream/upstream.ts'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import { tenantInvalidation } from '../../src/tenants/invalidation.ts'
import { sourceDirectory } from '../../src/tenants/sources/source-directory.ts'
import { sourceService } from '../../src/tenants/sources/source-service.ts'
import type { SourceStore } from '../../src/tenants/sources/source-store.ts'
import { streamPlaces } from '../../src/tenants/stream-places.ts'
import { streamTickets } from '../../src/tenants/stream-tickets.ts'
import { type TenantServiceDeps, tenantService } from '../../src/tenants/tenant-service.ts'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { patient } from './core.ts'
import { eventually } from './eventually.ts'
import { letAllOut } from './let-all-out.ts'
import { startTestRedis } from './redis.ts'
import { startTestStores } from './sqlite-stores.ts'
import { upstreamsOf } from './upstreams.ts'

type Options = {
  log?: Logger
  /** Most rounds of a job. */
  maxRounds?: number
  /** The first is the default one. */
  upstreams?: readonly Upstream[]
  /** May put something in front of what reads jobs and tenants, to count what is asked of it. */
  watch?: <Part extends JobRecords | HistoryStore | TenantStore | SourceStore>(part: Part) => Part
}

export type TestServices = Awaited<ReturnType<typeof openTestServices>>

const secret = 'a secret for tests only'

/** Gancho's parts over a Redis server and an SQLite file of their own, put together as the app does, without workers. */
export async function openTestServices(options: Options = {}) {
  const { log = pino({ level: 'silent' }), maxRounds = 20, watch = (part) => part } = options
  const server = await startTestRedis()
  const connections = await openConnections({ url: server.url, log, ...patient })
  const stores = await startTestStores()
  // Nobody works here, and jobs are not to explain that.
  await connections.patient.zadd(keys.workers, Date.now() + 3_600_000, 'test')
  const dataSet = await createDataSet(connections.patient, stores.history)
  const lanes = createLanes(connections.patient, [defaultQueue])
  const errorQueue = createErrorQueue(lanes)
  const transitions = createTransitions(connections.commands, { graceMs: 30_000, schedule: lanes.add })
  await letAllOut(transitions)
  const records = createJobRecords(connections.commands)
  const jobs = createJobReader(watch(records), watch(stores.history))
  const reprocess = createReprocess({
    transitions,
    lanes,
    errorQueue,
    finished: jobs,
    maxRounds,
    keepsOrder: () => false,
  })
  const correlator = await createCorrelator({
    ...{ redis: connections.commands, pubSub: memoryPubSub(), log, owner: 'test', maxWaiters: 1_000 },
    upstreams: upstreamsOf(options.upstreams ?? []),
    ...{ secrets: [secret], publicUrl: () => 'http://gancho', ttlMs: 60_000, pollMs: 100 },
  })
  const tenantParts = openTenants(connections, watch(stores.tenants), log)
  const destinations = openDestinations(stores, connections, tenantParts, lanes, log)
  await destinations.directory.load()
  const plainIntake = createIntake({
    redis: connections.intake,
    route: destinations.route,
    dataSet,
    memoryIsShort: () => false,
    maxBacklog: 100_000,
    idempotencyTtlSeconds: 60,
  })

  const intake = correlator.intakeOf(plainIntake)
  const projector = createProjector({
    reader: connections.dedicated('journal'),
    redis: connections.patient,
    records,
    history: stores.history,
    forget: forgetOver(connections.patient),
    dropAttempts: dropAttempts(connections.patient),
    lease: createLease(connections.patient, 'projector', 'test', 10_000),
    epoch: dataSet.current,
    log,
  })
  projector.start()
  /** Resolves when history knows every change that has happened by now. */
  const historyCaughtUp = async () => {
    const [last] = await connections.patient.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
    // It may be further already: others go on meanwhile.
    const isThere = async () => {
      const projected = (await connections.patient.get(keys.projected)) ?? '0-0'
      if (last && !isAtOrBefore(last[0], projected))
        throw new Error(`history is at ${projected}, not yet at ${last[0]}`)
    }
    await eventually(isThere, 5)
  }

  const liveJournal = createLiveJournal({
    reader: connections.dedicated('journal-tail'),
    commands: connections.commands,
    patient: connections.patient,
    openDataSet: dataSet.current,
    log,
  })
  liveJournal.start()
  const gates = createGates(connections.commands, transitions)
  const queueOverview = createQueueOverview({ lanes, errorQueue, redis: connections.commands })
  const queueStats = createQueueStats({ lanes, overview: queueOverview, log, tickMs: 20 })

  const { cipher } = tenantParts
  const bulks = createBulks({ connections, history: stores.history, cipher, keepMs: 60_000 })

  const close = async () => {
    await bulks.close()
    await correlator.close()
    tenantParts.invalidation.close()
    queueStats.close()
    await liveJournal.close()
    await projector.stop()
    await lanes.close()
    await connections.close()
    await stores.close()
    await server.stop()
  }
  return {
    ...{
      server,
      connections,
      redis: connections.commands,
      stores,
      dataSet,
      lanes,
      errorQueue,
      transitions,
      records,
    },
    ...{
      jobs,
      ...{ liveJournal, gates, jobPlaces: createJobPlaces(connections.commands) },
      ...{ queueOverview, queueStats, bulks },
      queuePauses: createQueuePauses({ redis: connections.commands, lanes }),
      stats: createStatsReader({ store: stores.stats, minutesKeptMs: 172_800_000, now: Date.now }),
      reprocess,
      intake,
      correlator,
      spentOfBurst: createSpentOfBurst(connections.commands),
      historyCaughtUp,
      close,
      tenantStore: watch(stores.tenants),
      streamPlaces: streamPlaces(connections.commands, 60_000),
      streamTickets: streamTickets(connections.commands, 120_000),
      ...tenantParts,
      destinations,
      sources: sourceService({
        store: watch(stores.sources),
        directory: sourceDirectory({
          ...{ store: stores.sources, tenants: stores.tenants, cipher: tenantParts.cipher, ttlMs: 60_000 },
        }),
        ...{ invalidation: tenantParts.invalidation, cipher: tenantParts.cipher },
      }),
    },
  }
}

type TenantParts = ReturnType<typeof openTenants>

function openDestinations(
  { destinations: store }: Stores,
  { commands: redis }: Connections,
  { cipher, invalidation }: TenantParts,
  lanes: Lanes,
  log: Logger,
) {
  const environment = environmentDestination('http://127.0.0.1:1/')
  const directory = destinationDirectory({ store, cipher, environment, ttlMs: 60_000, log })
  const service = destinationService({
    ...{ store, directory, invalidation, cipher, lanes },
    tellOfDisabling: disablingTold(redis, Date.now),
    checkUrl: (text) => checkDestinationUrl(text, { allows: () => true }),
  })
  const judge = eventFilters({ budgetMs: 1_000, maxBodyBytes: 100_000 })
  return { directory, service, route: destinationRouter({ directory, judge, log, now: Date.now }) }
}

type Connections = Awaited<ReturnType<typeof openConnections>>

function openTenants(connections: Connections, store: TenantStore, log: Logger) {
  const hashToken = tokenHashing(secret)
  const directory = new TenantDirectory({ store, hashToken })
  const invalidation = tenantInvalidation({
    publisher: connections.commands,
    subscriber: connections.dedicated('tenants'),
    onInvalidate: (cnpj) => directory.invalidate(cnpj),
    log,
  })
  const cipher = tokenCipher(secret)
  const deps: TenantServiceDeps = { store, directory, invalidation, cipher, hashToken }
  return { directory, invalidation, cipher, tenants: tenantService(deps) }
}
