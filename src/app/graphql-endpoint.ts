import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Intake } from '../events/intake.ts'
import { createSpentOfBurst } from '../events/rate-limit.ts'
import { operationOpener } from '../graphql/open-operation.ts'
import { persistedDocuments } from '../graphql/persisted-documents.ts'
import type { StreamReport } from '../graphql/stream-report.ts'
import { createGraphql, requestBytes } from '../graphql/yoga.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Core } from './core.ts'
import type { Foundation } from './foundation.ts'
import { createStreams } from './streams.ts'

type Deps = {
  config: Config
  foundation: Foundation
  core: Core
  intake: Intake
  log: Logger
  report: StreamReport
  introspection: boolean
  tracing: Tracing | undefined
}

/** GraphQL over HTTP, and what carries its streams. */
export function createGraphqlEndpoint(deps: Deps) {
  const { config, foundation, core, intake, log, report, introspection, tracing } = deps
  const services = {
    ...core,
    intake,
    tenantStore: foundation.stores.tenants,
    spentOfBurst: createSpentOfBurst(foundation.connections.commands),
    redis: foundation.connections.commands,
  }
  const documents = persistedDocuments(config.ALLOWED_DOCUMENTS_FILE)
  const maxEventBytes = config.MAX_BODY_BYTES
  const graphql = createGraphql({ services, log, tracing, maxEventBytes, introspection, documents })
  const openOperation = operationOpener({ graphql, services, log, report })
  const streaming = createStreams({
    ...{ config, core, log, openOperation, documents, report },
    fetch: async (url, init, context) => graphql.fetch(new URL(url), init, context),
    maxBodyBytes: requestBytes(config.MAX_BODY_BYTES),
  })
  return { graphql, ...streaming }
}
