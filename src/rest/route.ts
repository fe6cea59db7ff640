import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '../tenants/principal.ts'

/** A request whose sender is known and whose body is here, within the size limit. */
export type RouteRequest = {
  method: string
  /** Path parameters, decoded. */
  params: Record<string, string>
  query: URLSearchParams
  headers: IncomingHttpHeaders
  principal: Principal
  body: Buffer
  requestId: string
  /** Aborted when the caller is gone. */
  signal: AbortSignal
}

/**
 * `body` is sent as JSON, or as it is when it is bytes, whose content type the headers name; without one, nothing is. `lines` are sent
 * as they come, in place of a body.
 */
export type RouteAnswer = {
  status: number
  body?: unknown
  lines?: AsyncIterable<string>
  headers?: Record<string, string>
}

/** `access` is checked before `handle` is called. What `handle` throws becomes the error answer. */
export type Route = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With `:name` for parameters. */
  path: string
  access: 'admin' | 'tenant' | 'any'
  handle(request: RouteRequest): Promise<RouteAnswer> | RouteAnswer
}
