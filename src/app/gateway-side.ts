import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { reportedIntake } from '../events/event-report.ts'
import { tracedIntake } from '../events/traced-intake.ts'
import { requestBytes } from '../graphql/yoga.ts'
import { graphqlRoute } from '../http/graphql-route.ts'
import { healthRoutes } from '../http/health-routes.ts'
import { metricsRoute } from '../http/metrics-route.ts'
import { withMiddleware } from '../http/middleware.ts'
import { createRouter } from '../http/router.ts'
import { createHttpServer, type HttpServer } from '../http/server.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { redisFigures } from '../metrics/redis-figures.ts'
import { adminTenantRoutes } from '../rest/admin-tenants.ts'
import { callbackHandler } from '../rest/callback.ts'
import { exportJobsRoute } from '../rest/export-jobs.ts'
import { failedJobsRoute } from '../rest/failed-jobs.ts'
import { newQrcodeRoute } from '../rest/new-qrcode.ts'
import { sourceWebhookHandler } from '../rest/source-webhook.ts'
import { webhookHandler } from '../rest/webhook.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Core } from './core.ts'
import type { Foundation } from './foundation.ts'
import { createGraphqlEndpoint } from './graphql-endpoint.ts'
import { openIntake } from './open-intake.ts'

type Deps = {
  config: Config
  foundation: Foundation
  core: Core
  metrics: Metrics
  tracing: Tracing | undefined
  log: Logger
  isStopping: () => boolean
}

/** The HTTP server: everything for a gateway, health and metrics for a worker. */
export function createGatewaySide(deps: Deps): HttpServer {
  const { config, foundation, core, metrics, tracing, log } = deps
  const { authenticate } = core
  const maxBodyBytes = config.MAX_BODY_BYTES
  const report = metrics.events
  const requestTimeoutMs = config.REQUEST_TIMEOUT_MS
  const open = [
    ...healthRoutes(healthChecks(foundation, core), () => tenantFacts(core), deps.isStopping),
    metricsRoute({ scrape: scrapeOf(deps), token: config.METRICS_TOKEN }),
  ]
  if (config.ROLE === 'worker') {
    const router = createRouter({ routes: [], open, elsewhere: [], authenticate, maxBodyBytes, log })
    return createHttpServer({ webhook: undefined, handle: withMiddleware(router), requestTimeoutMs, log })
  }
  const { correlator } = core
  const intake = tracedIntake(
    correlator.intakeOf(openIntake(config, foundation, core.destinations.route)),
    tracing,
  )
  const routes = [
    ...adminTenantRoutes(core),
    ...[failedJobsRoute(core), newQrcodeRoute(correlator), exportJobsRoute(core)],
  ]
  const graphiql = showsGraphiql(config, foundation)
  const endpoint = createGraphqlEndpoint({
    ...{ config, foundation, core, log, tracing },
    intake: reportedIntake(intake, report),
    report: metrics.streams,
    // GraphiQL is of little use without.
    introspection: config.GRAPHQL_INTROSPECTION ?? graphiql,
  })
  const { graphql, streams, eventStreams, upgrade } = endpoint
  const elsewhere = ['/webhook', '/webhook/:source(^src_.+$)', '/callback/:capability'].map((path) => ({
    path,
    method: 'POST',
  }))
  const router = createRouter({ routes, open, elsewhere, authenticate, maxBodyBytes, log })
  const otherwise = graphqlRoute({
    maxBodyBytes: requestBytes(maxBodyBytes),
    ...{ graphql, eventStreams, authenticate, identities: core.identities, graphiql, log },
    allowedOrigins: config.ALLOWED_ORIGINS,
    otherwise: router,
  })
  const { openSource, sourceUses: uses } = core
  const { capabilities, upstreams } = correlator
  const callback = callbackHandler({ intake, capabilities, upstreams, maxBodyBytes, log, report, otherwise })
  const handle = sourceWebhookHandler({
    ...{ intake, openSource, uses, maxBodyBytes, log, report },
    otherwise: callback,
  })
  const server = createHttpServer({
    webhook: webhookHandler({ intake, authenticate, maxBodyBytes, log, report }),
    ...{ handle, upgrade, requestTimeoutMs, log },
  })
  return {
    listen: server.listen,
    async close(withinMs) {
      await Promise.all([streams.drain(withinMs), server.close(withinMs)])
    },
  }
}

/** On a developer's machine, unless the environment says otherwise. */
export const showsGraphiql = (config: Config, { embedded }: Foundation) => config.GRAPHIQL ?? embedded

/** Known tenants are served while the database is away: since when shows here. */
function tenantFacts({ directory }: Core) {
  const { tenants, staleSince } = directory.status()
  return { tenants: { known: tenants, staleSince: staleSince && new Date(staleSince).toISOString() } }
}

function scrapeOf({ metrics, foundation, core }: Deps) {
  const { directory, lanes, queueOverview: overview, liveJournal, correlator } = core
  const redis = redisFigures({
    ...{ redis: foundation.connections.commands, lanes, overview },
    openBreakers: () => queuesOfOpenBreakers(core),
    tail: () => liveJournal.position()?.id,
  })
  return () => metrics.scrape({ redis, tenantCache: () => directory.status(), awaiting: correlator.waiting })
}

async function queuesOfOpenBreakers({ gates, destinations }: Core): Promise<string[]> {
  const ids = await gates.openBreakers()
  return ids.flatMap((id) => destinations.directory.get(id)?.settings.queue ?? [])
}

function healthChecks({ connections, stores }: Foundation, { lanes }: Core) {
  return {
    required: {
      redis: () => connections.commands.ping(),
      queue: () => Promise.all(lanes.all().map(({ queue }) => queue.isPaused())),
    },
    told: { database: () => stores.history.id() },
  }
}
