import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { createErrorQueue, type ErrorQueue } from '../delivery/error-queue.ts'
import { createGates, type Gates } from '../delivery/gates.ts'
import { createJobPlaces, type JobPlaces } from '../delivery/job-places.ts'
import { createQueueOverview, type QueueOverview } from '../delivery/queue-overview.ts'
import { createQueuePauses, type QueuePauses } from '../delivery/queue-pauses.ts'
import { createQueueStats, type QueueStats } from '../delivery/queue-stats.ts'
import { createReprocess, type Reprocess } from '../delivery/reprocess.ts'
import { createJobRecords } from '../events/job-records.ts'
import { createLanes, type Lanes, scheduleReleased } from '../events/lanes.ts'
import { defaultQueue } from '../events/routing.ts'
import { createTransitions } from '../events/transitions.ts'
import { createJobReader, type JobReader } from '../history/job-reader.ts'
import { createStatsReader, type StatsReader } from '../history/stats-reader.ts'
import { createLiveJournal, type LiveJournal } from '../journal/live-journal.ts'
import type { AwaitReport } from '../sync/await-report.ts'
import type { Correlator } from '../sync/correlator.ts'
import { firstAdminName } from '../tenants/admin-tokens.ts'
import { type CacheReport, reportedDirectory, reportedStore } from '../tenants/cache-report.ts'
import { TenantDirectory } from '../tenants/directory.ts'
import { type Identities, identities } from '../tenants/identity.ts'
import { type TenantInvalidation, tenantInvalidation } from '../tenants/invalidation.ts'
import { LastUses } from '../tenants/last-uses.ts'
import { type Authenticate, authenticator } from '../tenants/principal.ts'
import { rememberedHash } from '../tenants/remembered-hash.ts'
import { type OpenSource, sourceOpener } from '../tenants/sources/open-source.ts'
import { sourceDirectory } from '../tenants/sources/source-directory.ts'
import { type SourceService, sourceService } from '../tenants/sources/source-service.ts'
import { type StreamPlaces, streamPlaces } from '../tenants/stream-places.ts'
import { type StreamTickets, streamTickets } from '../tenants/stream-tickets.ts'
import { type TenantService, tenantService } from '../tenants/tenant-service.ts'
import { tokenHashing } from '../tenants/token.ts'
import { type TokenCipher, tokenCipher } from '../tenants/token-cipher.ts'
import { openAwaiting } from './awaiting.ts'
import { type Bulks, createBulks } from './bulks.ts'
import { createDestinations, type Destinations } from './destinations.ts'
import type { Foundation } from './foundation.ts'
import { minutesKeptMs, retentionMs } from './retention.ts'
import { upstreamSettings } from './upstream-settings.ts'
import { warnOfOtherSecret } from './warn-of-other-secret.ts'

/** What answers callers. All of it is bounded in time: while Redis is away, a caller is told so and does not wait. */
export type Core = {
  lanes: Lanes
  errorQueue: ErrorQueue
  jobs: JobReader
  reprocess: Reprocess
  directory: TenantDirectory
  invalidation: TenantInvalidation
  tenants: TenantService
  sources: SourceService
  openSource: OpenSource
  destinations: Destinations
  sourceUses: Pick<LastUses, 'note'>
  cipher: TokenCipher
  authenticate: Authenticate
  correlator: Correlator
  identities: Identities
  streamPlaces: StreamPlaces
  streamTickets: StreamTickets
  /** Has somebody else told, after the caches, that a tenant has changed, or with `*` that any may have. */
  onTenantChange(listener: (cnpj: string) => void): void
  gates: Gates
  jobPlaces: JobPlaces
  queueOverview: QueueOverview
  queueStats: QueueStats
  queuePauses: QueuePauses
  liveJournal: LiveJournal
  bulks: Bulks
  stats: StatsReader
  close(): Promise<void>
}

/** Longest time for which a change that this instance was not told of goes unnoticed. */
const sourceTtlMs = 60_000
/** Of a tenant's places for streams; renewed several times within it. */
export const placeLeaseMs = 60_000

type CoreDeps = {
  config: Config
  foundation: Foundation
  log: Logger
  /** Of the environment's destination, where this process knows it. */
  destinationUrl?: string | undefined
  /** Where this process is reached, once it listens. */
  origin: () => string
  /** Told how often tokens are known. */
  cache: CacheReport
  /** Told what becomes of awaited replies. */
  awaiting: AwaitReport
}

export async function createCore(deps: CoreDeps): Promise<Core> {
  const { config, foundation, log, origin, cache, destinationUrl = '' } = deps
  const { connections, stores, secrets } = foundation
  const lanes = createLanes(connections.commands, [defaultQueue], connections.commandsOf)
  const records = createJobRecords(connections.commands)
  const jobs = createJobReader(records, stores.history)
  const errorQueue = createErrorQueue(lanes)
  const transitions = createTransitions(connections.commands, {
    graceMs: config.SWEEP_INTERVAL_MS,
    schedule: scheduleReleased(lanes, log),
  })
  const [newest, ...older] = secrets.encryptionSecrets
  const hashToken = rememberedHash(tokenHashing(newest))
  const cipher = tokenCipher(newest, ...older)
  const tokenUses = new LastUses({ write: (uses) => stores.tenants.touchTokens(uses), what: 'tokens', log })
  const sourceUses = new LastUses({ write: (uses) => stores.sources.touch(uses), what: 'sources', log })
  const ttlMs = config.TOKEN_CACHE_TTL_SECONDS * 1_000
  const directory = new TenantDirectory({
    ...{ store: reportedStore(stores.tenants, cache), hashToken, ttlMs },
    olderHashes: older.map((secret) => rememberedHash(tokenHashing(secret))),
    onUse: (id, at) => tokenUses.note(id, at),
  })
  const known = sourceDirectory({
    ...{ store: stores.sources, tenants: stores.tenants, cipher },
    ttlMs: Math.min(ttlMs, sourceTtlMs),
  })
  const destinations = createDestinations({ config, foundation, lanes, cipher, log, destinationUrl })
  const reprocess = createReprocess({
    transitions,
    lanes,
    errorQueue,
    finished: jobs,
    maxRounds: config.MAX_REPROCESS_ROUNDS,
    keepsOrder: destinations.keepsOrder,
  })
  const listeners = [
    directory.invalidate.bind(directory),
    destinations.directory.invalidate,
    known.invalidate.bind(known),
  ]
  const caches = {
    invalidate(cnpj: string) {
      for (const tell of listeners) tell(cnpj)
    },
  }
  const invalidation = tenantInvalidation({
    publisher: connections.commands,
    subscriber: connections.dedicated('tenants'),
    onInvalidate: caches.invalidate,
    log,
  })
  const tenants = tenantService({ store: stores.tenants, directory: caches, invalidation, cipher, hashToken })
  const sources = sourceService({ store: stores.sources, directory: known, invalidation, cipher })
  const openSource = sourceOpener({ sources: known, trustedProxies: config.TRUSTED_PROXIES })
  const access = {
    admins: [
      { name: firstAdminName, access: 'full' as const, token: secrets.adminToken },
      ...(config.ADMIN_TOKENS ?? []),
    ],
    adminWindow: config.ADMIN_ACCESS_WINDOW,
    trustedProxies: config.TRUSTED_PROXIES,
    directory: reportedDirectory(directory, cache),
  }
  const authenticate = authenticator(access)
  await directory.load()
  await warnOfOtherSecret({ store: stores.tenants, cipher, log })
  await destinations.load()
  const upstreams = upstreamSettings(config)
  const correlator = await openAwaiting({ config, foundation, log, upstreams, origin, report: deps.awaiting })
  // From here on nothing can fail, and everything that starts is ended by `close`.
  destinations.start()
  const liveJournal = createLiveJournal({
    reader: connections.dedicated('journal-tail'),
    commands: connections.commands,
    patient: connections.patient,
    openDataSet: foundation.dataSet.current,
    log,
  })
  liveJournal.start()
  const queueOverview = createQueueOverview({ lanes, errorQueue, redis: connections.commands })
  const queueStats = createQueueStats({ lanes, overview: queueOverview, log })
  const bulks = createBulks({ connections, history: stores.history, cipher, keepMs: retentionMs(config) })
  const close = async () => {
    await correlator.close()
    await bulks.close()
    queueStats.close()
    await liveJournal.close()
    invalidation.close()
    await destinations.close()
    await Promise.all([tokenUses.close(), sourceUses.close()])
    await lanes.close()
  }
  return {
    lanes,
    errorQueue,
    jobs,
    reprocess,
    directory,
    invalidation,
    tenants,
    sources,
    openSource,
    destinations,
    sourceUses,
    cipher,
    authenticate,
    correlator,
    identities: identities({ ...access, directory, authenticate }),
    streamPlaces: streamPlaces(connections.commands, placeLeaseMs),
    streamTickets: streamTickets(connections.commands, config.STREAM_TICKET_TTL_SECONDS * 1_000),
    onTenantChange: (listener) => void listeners.push(listener),
    gates: createGates(connections.commands, transitions),
    jobPlaces: createJobPlaces(connections.commands),
    queueOverview,
    queueStats,
    queuePauses: createQueuePauses({ redis: connections.commands, lanes }),
    liveJournal,
    bulks,
    stats: createStatsReader({ store: stores.stats, minutesKeptMs: minutesKeptMs(config), now: Date.now }),
    close,
  }
}
