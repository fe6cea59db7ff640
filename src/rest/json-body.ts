import { GanchoError } from '../errors.ts'
import { parseJson } from '../events/json-check.ts'
import type { RouteRequest } from './route.ts'

/** The body as a JSON object. @throws GanchoError INVALID_JSON; BAD_REQUEST when it is JSON, but not an object */
export function jsonBody({ body }: Pick<RouteRequest, 'body'>): Record<string, unknown> {
  const value = parseJson(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new GanchoError('BAD_REQUEST', 'The body must be a JSON object.')
  return value as Record<string, unknown>
}
