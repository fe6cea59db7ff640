import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { type Core, createCore } from './app/core.ts'
import { type Foundation, openFoundation } from './app/foundation.ts'
import { createGatewaySide, showsGraphiql } from './app/gateway-side.ts'
import { createWorkerSide } from './app/worker-side.ts'
import type { Config } from './config.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { secondProcessCommand, writeSecondProcessEnv } from './redis/second-process.ts'
import { banner } from './welcome/banner.ts'
import { developmentTenant } from './welcome/development-tenant.ts'
import { type SampleReceiver, startSampleReceiver } from './welcome/sample-receiver.ts'

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
    const core = await createCore(config, foundation, log, metrics.tenantCache)
    parts.push(core.close)
    const receiver = await sampleReceiver(config, foundation, log)
    if (receiver) parts.push(receiver.close)
    const destinationUrl = config.DESTINATION_URL ?? receiver?.url
    if (foundation.embedded) rememberForSecondProcess(config, foundation, destinationUrl)

    let stopping = false
    const server = createGatewaySide({ config, foundation, core, metrics, log, isStopping: () => stopping })
    const worker = createWorkerSideFor(config, foundation, log, destinationUrl, metrics)
    worker?.start()
    // Both at once: while requests finish, no new delivery begins.
    parts.push(async () => {
      stopping = true
      const within = config.SHUTDOWN_TIMEOUT_MS
      await Promise.all([server.close(within), worker?.close(within)])
    })
    const port = await server.listen(config.PORT, config.HOST)
    const text = await welcome(config, foundation, core, port, receiver)
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
  { redisUrl, secrets }: Foundation,
  destinationUrl = '',
): void {
  writeSecondProcessEnv(config.DATA_DIR, {
    REDIS_URL: redisUrl,
    ADMIN_TOKEN: secrets.adminToken,
    ENCRYPTION_SECRET: secrets.encryptionSecrets.join(','),
    DESTINATION_URL: destinationUrl,
  })
}

function createWorkerSideFor(
  config: Config,
  foundation: Foundation,
  log: Logger,
  destinationUrl: string | undefined,
  { delivery: report }: Metrics,
) {
  if (config.ROLE === 'gateway' || destinationUrl === undefined) return undefined
  const owner = `${hostname()}.${process.pid}.${randomUUID().slice(0, 8)}`
  return createWorkerSide({ config, foundation, log, owner, destinationUrl, report })
}

async function welcome(
  config: Config,
  foundation: Foundation,
  core: Core,
  port: number,
  receiver: SampleReceiver | undefined,
): Promise<string> {
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST
  const graphiql = showsGraphiql(config, foundation)
  const facts = { origin: `http://${host}:${port}`, role: config.ROLE, graphiql, sampleReceiver: receiver }
  if (!foundation.embedded) return banner(facts)
  const { tenants, cipher } = core
  return banner({
    ...facts,
    adminToken: foundation.secrets.adminToken,
    tenant: await developmentTenant({ store: foundation.stores.tenants, tenants, cipher }),
    secondProcess: secondProcessCommand(config.DATA_DIR),
  })
}
