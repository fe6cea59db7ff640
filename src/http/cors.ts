import type { IncomingMessage, ServerResponse } from 'node:http'

/** Origins whose pages may use the GraphQL endpoint, besides its own. */
export type AllowedOrigins = readonly string[]

const maxAgeSeconds = 600
/** No cookies are read, so no page needs `credentials`. */
const permissions = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers':
    'authorization, content-type, last-event-id, x-request-id, x-graphql-yoga-csrf, graphql-require-preflight',
  'access-control-max-age': String(maxAgeSeconds),
}

/**
 * Tells browsers what pages of other origins may do (Fetch standard, section 3.2), and answers when that is all they ask.
 * @returns whether it has answered
 */
export function allowOrigins(
  allowed: AllowedOrigins,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (allowed.length === 0) return false
  response.appendHeader('vary', 'Origin')
  const { origin } = request.headers
  if (origin === undefined || !allowed.includes(origin)) return false
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-expose-headers', 'x-request-id, retry-after')
  const asks = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
  if (!asks) return false
  response.writeHead(204, permissions).end()
  return true
}

/** Whether a page may open a WebSocket here: browsers ask nobody before they do. Programs other than browsers send no origin. */
export function mayConnect(allowed: AllowedOrigins, { headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined || allowed.includes(origin)) return true
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase()
}
