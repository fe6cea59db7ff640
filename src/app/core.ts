import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { createErrorQueue, type ErrorQueue } from '../delivery/error-queue.ts'
import { createReprocess, type Reprocess } from '../delivery/reprocess.ts'
import { createJobRecords } from '../events/job-records.ts'
import { createLanes, type Lanes } from '../events/lanes.ts'
import { defaultQueue } from '../events/routing.ts'
import { createTransitions } from '../events/transitions.ts'
import { createJobReader, type JobReader } from '../history/job-reader.ts'
import type { Correlator } from '../sync/correlator.ts'
import { firstAdminName } from '../tenants/admin-tokens.ts'
import { type CacheReport, reportedDirectory, reportedStore } from '../tenants/cache-report.ts'
import { TenantDirectory } from '../tenants/directory.ts'
import { type TenantInvalidation, tenantInvalidation } from '../tenants/invalidation.ts'
import { type Authenticate, authenticator } from '../tenants/principal.ts'
import { type OpenSource, sourceOpener } from '../tenants/sources/open-source.ts'
import { sourceDirectory } from '../tenants/sources/source-directory.ts'
import { type SourceService, sourceService } from '../tenants/sources/source-service.ts'
import { type TenantService, tenantService } from '../tenants/tenant-service.ts'
import { tokenHashing } from '../tenants/token.ts'
import { type TokenCipher, tokenCipher } from '../tenants/token-cipher.ts'
import { TokenUses } from '../tenants/token-uses.ts'
import { openAwaiting } from './awaiting.ts'
import type { Foundation } from './foundation.ts'
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
  cipher: TokenCipher
  authenticate: Authenticate
  correlator: Correlator
  close(): Promise<void>
}

/** Longest time for which a change that this instance was not told of goes unnoticed. */
const sourceTtlMs = 60_000

type CoreDeps = {
  config: Config
  foundation: Foundation
  log: Logger
  /** Where this process is reached, once it listens. */
  origin: () => string
  /** Told how often tokens are known. */
  cache: CacheReport
}

export async function createCore({ config, foundation, log, origin, cache }: CoreDeps): Promise<Core> {
  const { connections, stores, secrets } = foundation
  const lanes = createLanes(connections.commands, [defaultQueue])
  const records = createJobRecords(connections.commands)
  const jobs = createJobReader(records, stores.history)
  const errorQueue = createErrorQueue(lanes)
  const transitions = createTransitions(connections.commands, { graceMs: config.SWEEP_INTERVAL_MS })
  const reprocess = createReprocess({
    transitions,
    lanes,
    errorQueue,
    finished: jobs,
    maxRounds: config.MAX_REPROCESS_ROUNDS,
  })

  const [newest, ...older] = secrets.encryptionSecrets
  const hashToken = tokenHashing(newest)
  const cipher = tokenCipher(newest, ...older)
  const uses = new TokenUses({ store: stores.tenants, log })
  const ttlMs = config.TOKEN_CACHE_TTL_SECONDS * 1_000
  const directory = new TenantDirectory({
    ...{ store: reportedStore(stores.tenants, cache), hashToken, ttlMs },
    olderHashes: older.map(tokenHashing),
    onUse: (id, at) => uses.note(id, at),
  })
  const known = sourceDirectory({
    ...{ store: stores.sources, tenants: stores.tenants, cipher },
    ttlMs: Math.min(ttlMs, sourceTtlMs),
  })
  const caches = {
    invalidate(cnpj: string) {
      directory.invalidate(cnpj)
      known.invalidate(cnpj)
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
  const authenticate = authenticator({
    admins: [
      { name: firstAdminName, access: 'full', token: secrets.adminToken },
      ...(config.ADMIN_TOKENS ?? []),
    ],
    adminWindow: config.ADMIN_ACCESS_WINDOW,
    trustedProxies: config.TRUSTED_PROXIES,
    directory: reportedDirectory(directory, cache),
  })
  await directory.load()
  await warnOfOtherSecret({ store: stores.tenants, cipher, log })
  const upstreams = upstreamSettings(config)
  const correlator = await openAwaiting({ config, foundation, log, upstreams, origin })
  const close = async () => {
    await correlator.close()
    invalidation.close()
    await uses.close()
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
    cipher,
    authenticate,
    correlator,
    close,
  }
}
