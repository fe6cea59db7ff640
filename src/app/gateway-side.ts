import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { createIntake } from '../events/intake.ts'
import { defaultRouter } from '../events/routing.ts'
import { graphqlRoute } from '../http/graphql-route.ts'
import { healthRoutes } from '../http/health-routes.ts'
import { withMiddleware } from '../http/middleware.ts'
import { createRouter } from '../http/router.ts'
import { createHttpServer, type HttpServer } from '../http/server.ts'
import { adminTenantRoutes } from '../rest/admin-tenants.ts'
import { failedJobsRoute } from '../rest/failed-jobs.ts'
import { sourceWebhookHandler } from '../rest/source-webhook.ts'
import { webhookHandler } from '../rest/webhook.ts'
import type { Core } from './core.ts'
import type { Foundation } from './foundation.ts'
import { createGraphqlEndpoint } from './graphql-endpoint.ts'

type Deps = {
  config: Config
  foundation: Foundation
  core: Core
  log: Logger
  isStopping: () => boolean
}

/** The HTTP server: everything for a gateway, health alone for a worker. */
export function createGatewaySide(deps: Deps): HttpServer {
  const { config, foundation, core, log } = deps
  const { authenticate } = core
  const maxBodyBytes = config.MAX_BODY_BYTES
  const requestTimeoutMs = config.REQUEST_TIMEOUT_MS
  const open = healthRoutes(healthChecks(foundation, core), () => tenantFacts(core), deps.isStopping)
  if (config.ROLE === 'worker') {
    const router = createRouter({ routes: [], open, elsewhere: [], authenticate, maxBodyBytes, log })
    return createHttpServer({ webhook: undefined, handle: withMiddleware(router), requestTimeoutMs, log })
  }
  const intake = createIntake({
    redis: foundation.connections.intake,
    route: defaultRouter(),
    dataSet: foundation.dataSet,
    memoryIsShort: foundation.memory.isShort,
    maxBacklog: config.MAX_BACKLOG,
    idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
  })
  const routes = [...adminTenantRoutes(core), failedJobsRoute(core)]
  const graphiql = showsGraphiql(config, foundation)
  const endpoint = createGraphqlEndpoint({ config, foundation, core, intake, log })
  const { graphql, streams, eventStreams, upgrade } = endpoint
  const elsewhere = ['/webhook', '/webhook/:source(^src_.+$)'].map((path) => ({ path, method: 'POST' }))
  const router = createRouter({ routes, open, elsewhere, authenticate, maxBodyBytes, log })
  const otherwise = graphqlRoute({
    ...{ graphql, eventStreams, authenticate, identities: core.identities, graphiql, log },
    allowedOrigins: config.ALLOWED_ORIGINS,
    otherwise: router,
  })
  const { openSource } = core
  const handle = sourceWebhookHandler({ intake, openSource, maxBodyBytes, log, otherwise })
  const server = createHttpServer({
    webhook: webhookHandler({ intake, authenticate, maxBodyBytes, log }),
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

function healthChecks({ connections, stores }: Foundation, { lanes }: Core) {
  return {
    required: {
      redis: () => connections.commands.ping(),
      queue: () => Promise.all(lanes.all().map(({ queue }) => queue.isPaused())),
    },
    told: { database: () => stores.history.id() },
  }
}
