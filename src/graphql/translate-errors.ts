import { type ExecutionResult, GraphQLError, Kind } from 'graphql'
import { isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga'
import type { Logger } from 'pino'
import { type ErrorCode, type GanchoError, isErrorCode } from '../errors.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import type { GraphqlServerContext } from './context.ts'

/**
 * GraphQL's translation of what was thrown: a GanchoError shows its message and code, a mistake in the request shows what GraphQL
 * says of it, and anything else tells the caller nothing but INTERNAL and the request id, and is logged here, once.
 */
export function translateErrors(log: Pick<Logger, 'error'>): Plugin<object, GraphqlServerContext> {
  return {
    onResultProcess({ result, setResult, serverContext: { requestId } }) {
      const translate = (one: ExecutionResult) => translatedResult(one, requestId, log)
      if (isAsyncIterable(result)) setResult(mapAsyncIterator(result, translate))
      else setResult(Array.isArray(result) ? result.map(translate) : translate(result))
    },
  }
}

/** The same for a result that no HTTP request was answered with. */
export function translatedResult(
  result: ExecutionResult,
  requestId: string,
  log: Pick<Logger, 'error'>,
): ExecutionResult {
  if (!result.errors?.length) return result
  const executed = 'data' in result
  const logged = new Set<unknown>()
  const errors = result.errors.map((error) => {
    const cause = causeOf(error)
    if (isOfRequest(cause, error)) return mistake(error, requestId, executed)
    const known = toGanchoError(cause)
    // A loader that fails does so for each field that asked for it.
    if (known.isFault && !logged.has(cause)) log.error({ err: known, requestId }, 'GraphQL request failed')
    logged.add(cause)
    return answer(error, known, requestId, executed)
  })
  return { ...result, errors }
}

/** The result of an operation that ended with what was thrown: translated. */
export function failedResult(error: unknown, requestId: string, log: Pick<Logger, 'error'>): ExecutionResult {
  const cause = error instanceof Error ? error : new Error(String(error))
  const given =
    error instanceof GraphQLError ? error : new GraphQLError(cause.message, { originalError: cause })
  return translatedResult({ errors: [given] }, requestId, log)
}

/** What was thrown, below the errors that GraphQL wraps it in. */
function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? causeOf(error.originalError) : error
}

/**
 * GraphQL's own errors: those before execution, and during it those that point at a value in the request. One that points at a
 * field speaks of what its resolver did.
 */
function isOfRequest(cause: unknown, error: GraphQLError): boolean {
  if (!(cause instanceof GraphQLError)) return false
  return error.path === undefined || (cause.nodes ?? []).some((node) => node.kind !== Kind.FIELD)
}

/** Of what is refused before GraphQL looks at it. */
const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  403: 'FORBIDDEN',
  405: 'METHOD_NOT_ALLOWED',
}

function mistake(error: GraphQLError, requestId: string, executed: boolean): GraphQLError {
  const { message, nodes, source, positions, path, extensions } = error
  const code = codeOf(error)
  const http = extensions.http ?? (executed ? undefined : { status: 400, spec: true })
  return new GraphQLError(message, { nodes, source, positions, path, extensions: { code, requestId, http } })
}

function codeOf({ nodes, source, extensions: { code, http } }: GraphQLError): ErrorCode {
  const byStatus = codesByStatus[(http as { status?: number } | undefined)?.status ?? 0]
  if (byStatus) return byStatus
  if (typeof code === 'string') return isErrorCode(code) ? code : 'BAD_REQUEST'
  // A syntax error has a place in the source, but no nodes yet.
  return source && !nodes ? 'GRAPHQL_PARSE_FAILED' : 'BAD_REQUEST'
}

function answer(error: GraphQLError, known: GanchoError, requestId: string, executed: boolean): GraphQLError {
  const { nodes, source, positions, path } = error
  const { code, details, retryAfterSeconds, status } = known
  const http = executed ? undefined : { status }
  const extensions = { code, requestId, details, retryAfterSeconds, http }
  return new GraphQLError(known.message, { nodes, source, positions, path, extensions })
}
