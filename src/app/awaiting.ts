import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { type AwaitReport, reportedCalls, reportedUpstreams } from '../sync/await-report.ts'
import { type Correlator, createCorrelator } from '../sync/correlator.ts'
import { memoryPubSub } from '../sync/memory-pub-sub.ts'
import { redisPubSub } from '../sync/redis-pub-sub.ts'
import { createUpstreams } from '../sync/upstream/create-upstreams.ts'
import type { UpstreamSettings } from '../sync/upstream/upstream-settings.ts'
import type { Foundation } from './foundation.ts'
import { processName } from './process-name.ts'

type Deps = {
  config: Config
  foundation: Foundation
  log: Logger
  upstreams: readonly UpstreamSettings[]
  /** Where this process is reached; asked for when the first call is made. */
  origin: () => string
  report: AwaitReport
}

/** What calls upstreams and awaits their replies. Without upstreams it costs nothing, and says so to whoever calls. */
export async function openAwaiting(deps: Deps): Promise<Correlator> {
  const { config, foundation, log, report } = deps
  const { connections, secrets } = foundation
  const calls = config.ROLE === 'worker' ? [] : deps.upstreams
  const upstreams = createUpstreams(calls, { connectTimeoutMs: config.CONNECT_TIMEOUT_MS, log })
  const publisher = connections.commands
  const pubSub =
    calls.length === 0
      ? memoryPubSub()
      : redisPubSub({ publisher, subscriber: connections.dedicated('replies') })
  const correlator = await createCorrelator({
    ...{ redis: publisher, pubSub, log, owner: processName() },
    upstreams: reportedUpstreams(upstreams, report),
    secrets: secrets.encryptionSecrets,
    publicUrl: () => config.PUBLIC_URL ?? deps.origin(),
    ttlMs: config.AWAITED_REPLY_TTL_SECONDS * 1_000,
    maxWaiters: config.MAX_WAITING_REPLIES,
  })
  const close = async () => {
    await correlator.close()
    await pubSub.close()
    await upstreams.close()
  }
  return { ...correlator, callAndAwait: reportedCalls(correlator.callAndAwait, report), close }
}
