import type { IncomingMessage, ServerResponse } from 'node:http'
import findMyWay from 'find-my-way'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { errorAnswer, sendAnswer } from '../rest/answer.ts'
import { readBody } from '../rest/request-body.ts'
import { requestIdOf } from '../rest/request-id.ts'
import type { Route, RouteAnswer } from '../rest/route.ts'
import type { Authenticate, Principal } from '../tenants/principal.ts'
import type { RequestHandler } from './middleware.ts'

/** An address that needs no token. */
export type OpenRoute = { path: string; handle: () => Promise<RouteAnswer> | RouteAnswer }

type Deps = {
  routes: readonly Route[]
  open: readonly OpenRoute[]
  authenticate: Authenticate
  maxBodyBytes: number
  log: Logger
}

type Params = Record<string, string | undefined>

/** Finds the route of a request, checks who asks, and answers. */
export function createRouter(deps: Deps): RequestHandler {
  const { log } = deps
  const router = findMyWay({
    ignoreTrailingSlash: true,
    maxParamLength: 200,
    defaultRoute: (request, response) => {
      answer(request, response, () => Promise.reject(noSuchAddress(deps, request)))
    },
  })
  const answer = (request: IncomingMessage, response: ServerResponse, make: () => Promise<RouteAnswer>) => {
    const requestId = requestIdOf(request)
    response.setHeader('x-request-id', requestId)
    make().then(
      (made) => sendAnswer(response, made),
      (error) => sendAnswer(response, errorAnswer(error, requestId, log)),
    )
  }
  for (const { path, handle } of deps.open) {
    router.on('GET', path, (request, response) => answer(request, response, async () => handle()))
  }
  for (const route of deps.routes) {
    router.on(route.method, route.path, (request, response, params) =>
      answer(request, response, () => handleRoute(deps, route, request, params)),
    )
  }
  return (request, response) => router.lookup(request, response)
}

async function handleRoute(
  deps: Deps,
  route: Route,
  request: IncomingMessage,
  params: Params,
): Promise<RouteAnswer> {
  const principal = await deps.authenticate(request.headers.authorization)
  checkAccess(route.access, principal)
  const body = await readBody(request, deps.maxBodyBytes)
  return route.handle({
    method: route.method,
    params: params as Record<string, string>,
    query: new URL(request.url ?? '/', 'http://localhost').searchParams,
    headers: request.headers,
    principal,
    body,
    requestId: requestIdOf(request),
  })
}

function checkAccess(access: Route['access'], principal: Principal): void {
  if (access !== 'any' && access !== principal.kind) throw new GanchoError('FORBIDDEN')
}

function noSuchAddress({ routes }: Deps, { method, url = '/' }: IncomingMessage): GanchoError {
  const path = url.split('?', 1)[0] ?? '/'
  const known = path === '/webhook' || routes.some((route) => route.path === path)
  return known
    ? new GanchoError('METHOD_NOT_ALLOWED', `${path} does not take ${method}.`)
    : new GanchoError('NOT_FOUND', `There is nothing at ${path.slice(0, 200)}.`)
}
