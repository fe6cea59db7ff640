import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Core, createCore } from './app/core.ts'
import { type Foundation, openFoundation } from './app/foundation.ts'
import { createGatewaySide, showsGraphiql } from './app/gateway-side.ts'
import { openRanges } from './app/guard.ts'
import { processName } from './app/process-name.ts'
import { openSampleUpstream, sampleUpstreamVariables, withSampleUpstream } from './app/sample-upstream.ts'
import { openTracing } from './app/tracing.ts'
import { within } from './app/within.ts'
import { createWorkerSide } from './app/worker-side.ts'
import type { Config } from './config.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { secondProcessCommand, writeSecondProcessEnv } from './redis/second-process.ts'
import type { Tracing } from './tracing/tracing.ts'
import { banner } from './welcome/banner.ts'
import { developmentTenant } from './welcome/development-tenant.ts'
import { type SampleReceiver, startSampleReceiver } from './welcome/sample-receiver.ts'
import type { SampleUpstream } from './welcome/sample-upstream.ts'

export type App = {
  /** What a person who has just started Gancho wants to read. */
  banner: string
  port: number
  /** Stops intake, finishes requests and jobs in flight within `SHUTDOWN_TIMEOUT_MS`, and hands back the rest. */
  close(): Promise<void>
}

/** Puts Gancho together and starts it; resolves when it takes requests. Closes what it opened when a later step fails. */
export async function startApp(config: Config, log: Logger): Promise<App> {
  const foundation = await openFoundation(config, log)
  const parts: (() => Promise<void>)[] = [foundation.close]
  const close = async () => {
    for (const part of parts.splice(0).reverse()) await part()
  }
  try {
    const metrics = createMetrics()
    const tracing = await openTracing(config, log)
    if (tracing) parts.push(tracing.close)
    let origin = ''
    const upstream = await openSampleUpstream(config, foundation, log)
    if (upstream) parts.push(upstream.close)
    const receiver = await sampleReceiver(config, foundation, log)
    if (receiver) parts.push(receiver.close)
    const destinationUrl = config.DESTINATION_URL ?? receiver?.url
    const core = await createCore({
      config: withSampleUpstream(config, upstream),
      ...{ foundation, log, destinationUrl },
      origin: () => origin,
      cache: metrics.tenantCache,
      awaiting: metrics.awaiting,
    })
    parts.push(core.close)
    if (foundation.embedded) rememberForSecondProcess(config, foundation, destinationUrl, upstream)

    let stopping = false
    let listening = false
    const server = createGatewaySide({
      ...{ config, foundation, core, metrics, tracing, log },
      isStopping: () => stopping,
    })
    const worker = createWorkerSideFor(config, foundation, core, log, destinationUrl, metrics, tracing)
    worker?.start()
    // Both at once: while requests finish, no new delivery begins.
    parts.push(async () => {
      stopping = true
      // A connection that comes when nobody listens any more, or is closed in the moment of its next request, is a request refused.
      if (listening && config.ROLE !== 'worker') await sleep(config.SHUTDOWN_DELAY_MS)
      const withinMs = config.SHUTDOWN_TIMEOUT_MS
      // Whoever waits for a reply gets its handle; what is being called is recorded.
      core.correlator.stopWaiting()
      const calls = within(core.correlator.idle(), withinMs)
      await Promise.all([server.close(withinMs), worker?.close(withinMs), calls])
    })
    const port = await server.listen(config.PORT, config.HOST)
    listening = true
    origin = originOf(config, port)
    const text = await welcome(config, foundation, core, origin, receiver, upstream !== undefined)
    return { banner: text, port, close }
  } catch (error) {
    await close()
    throw error
  }
}

function sampleReceiver(
  config: Config,
  { embedded }: Foundation,
  log: Logger,
): Promise<SampleReceiver> | undefined {
  return embedded && !config.DESTINATION_URL ? startSampleReceiver({ log }) : undefined
}

function rememberForSecondProcess(
  config: Config,
  foundation: Foundation,
  destinationUrl = '',
  upstream?: SampleUpstream,
): void {
  const { redisUrl, secrets } = foundation
  writeSecondProcessEnv(config.DATA_DIR, {
    REDIS_URL: redisUrl,
    ADMIN_TOKEN: secrets.adminToken,
    ENCRYPTION_SECRET: secrets.encryptionSecrets.join(','),
    DESTINATION_URL: destinationUrl,
    DESTINATION_SECRET: config.DESTINATION_SECRET.join(','),
    ALLOWED_CIDRS: openRanges(config, foundation)
      .map(([address, bits]) => `${address}/${bits}`)
      .join(','),
    ...(upstream && sampleUpstreamVariables(upstream)),
  })
}

function createWorkerSideFor(
  config: Config,
  foundation: Foundation,
  { destinations }: Core,
  log: Logger,
  destinationUrl: string | undefined,
  { delivery: report, operations: reportOperation }: Metrics,
  tracing: Tracing | undefined,
) {
  if (config.ROLE === 'gateway' || destinationUrl === undefined) return undefined
  const owner = processName()
  const reports = { report, reportOperation }
  return createWorkerSide({ config, foundation, destinations, log, owner, ...reports, tracing })
}

function originOf({ HOST }: Config, port: number): string {
  return `http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${port}`
}

async function welcome(
  config: Config,
  foundation: Foundation,
  core: Core,
  origin: string,
  receiver: SampleReceiver | undefined,
  sampleUpstream: boolean,
): Promise<string> {
  const graphiql = showsGraphiql(config, foundation)
  const facts = { origin, role: config.ROLE, graphiql, sampleReceiver: receiver, sampleUpstream }
  if (!foundation.embedded) return banner(facts)
  const { tenants, cipher } = core
  return banner({
    ...facts,
    // One of the operator's own does not belong into a log.
    adminToken: config.ADMIN_TOKEN ? undefined : foundation.secrets.adminToken,
    tenant: await developmentTenant({ store: foundation.stores.tenants, tenants, cipher }),
    secondProcess: secondProcessCommand(config.DATA_DIR),
  })
}
