import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention'
import { createYoga } from 'graphql-yoga'
import type { Logger } from 'pino'
import type { Tracing } from '../tracing/tracing.ts'
import type { GraphqlServerContext } from './context.ts'
import { type DocumentLimits, documentCaches } from './document.ts'
import { documentGuards } from './document-guards.ts'
import { createLoaders } from './loaders.ts'
import { type PersistedDocuments, persistedDocuments } from './persisted-documents.ts'
import { requestParams } from './request-params.ts'
import { schema } from './schema.ts'
import type { GraphqlServices } from './services.ts'
import { subscriptionSources } from './subscription-sources.ts'
import { tracedOperations } from './traced-operations.ts'
import { translateErrors } from './translate-errors.ts'

type Options = {
  services: GraphqlServices
  log: Pick<Logger, 'error'>
  tracing?: Tracing | undefined
  /** Longest body of an event, as `POST /webhook` takes it. */
  maxEventBytes: number
  /** Whether callers may ask for the schema. */
  introspection?: boolean
  limits?: DocumentLimits
  /** Those that the other transports know too. */
  documents?: PersistedDocuments
}

/** In a JSON text quotes and line ends take two bytes; what needs more of them does not fit. */
export const requestBytes = (maxEventBytes: number) => 2 * maxEventBytes + 65_536

/**
 * The GraphQL endpoint, to be called with a request, a response and who asks. Browsers cannot be made to call it by another site:
 * a request needs a header or a content type that makes them ask first, and no other origin gets permission.
 */
export function createGraphql({
  services,
  log,
  tracing,
  maxEventBytes,
  introspection = false,
  limits,
  documents = persistedDocuments(),
}: Options) {
  return createYoga<GraphqlServerContext, object>({
    schema,
    context: ({ principal }) => ({ services, loaders: createLoaders(services, principal), maxEventBytes }),
    plugins: [
      useCSRFPrevention({ requestHeaders: ['authorization'] }),
      requestParams(documents),
      documentGuards({ introspection, limits }),
      translateErrors(log),
      subscriptionSources,
      ...(tracing ? [tracedOperations(tracing)] : []),
    ],
    parserAndValidationCache: documentCaches(),
    // Who calls it reads bodies, within a limit.
    maxRequestBodySize: false,
    // translateErrors does both, with our codes and the request id.
    maskedErrors: false,
    logging: false,
    batching: false,
    multipart: false,
    cors: false,
    graphiql: false,
    landingPage: false,
  })
}
