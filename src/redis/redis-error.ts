import { GanchoError } from '../errors.ts'

/** How ioredis says that it got no answer: by name where there is one, else by the texts it uses. */
const names = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError', 'AbortError'])
const texts = /^(Connection is closed|Command timed out|Stream isn't writeable|Connection in subscriber mode)/
const systemCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])
/** Answers of a server that is there, but cannot serve: starting, failing over, or full. */
const refusals = /^(LOADING|MASTERDOWN|NOREPLICAS|READONLY|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|OOM|BUSY|MISCONF) /

/** Whether ioredis got no answer to this command, in time or at all. */
export function isUnanswered(error: unknown): error is Error {
  return error instanceof Error && (names.has(error.name) || texts.test(error.message))
}

function isRedisAway(error: unknown): boolean {
  if (isUnanswered(error)) return true
  if (!(error instanceof Error)) return false
  const { message, code } = error as NodeJS.ErrnoException
  return refusals.test(message) || systemCodes.has(code ?? '')
}

/** What a caller is told of an error: its own code, REDIS_UNAVAILABLE when Redis did not answer, else INTERNAL. */
export function toGanchoError(error: unknown): GanchoError {
  if (error instanceof GanchoError) return error
  if (isRedisAway(error))
    return new GanchoError('REDIS_UNAVAILABLE', undefined, { cause: error, retryAfterSeconds: 1 })
  return new GanchoError('INTERNAL', undefined, { cause: error })
}
