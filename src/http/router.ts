import type { IncomingMessage, ServerResponse } from 'node:http'
import findMyWay from 'find-my-way'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { errorAnswer, sendAnswer } from '../rest/answer.ts'
import { readBody } from '../rest/request-body.ts'
import { requestIdOf } from '../rest/request-id.ts'
import type { Route, RouteAnswer } from '../rest/route.ts'
import { sendStream, whileAllowed } from '../rest/send-stream.ts'
import { type Authenticate, mayWrite, type Principal } from '../tenants/principal.ts'
import type { RequestHandler } from './middleware.ts'

/** An address that needs no token of a tenant or administrator. */
export type OpenRoute = {
  path: string
  handle: (request: IncomingMessage) => Promise<RouteAnswer> | RouteAnswer
}

type Deps = {
  routes: readonly Route[]
  open: readonly OpenRoute[]
  /** Addresses that are answered before the router, with what they take: it refuses the rest. */
  elsewhere: readonly { path: string; method: string }[]
  authenticate: Authenticate
  maxBodyBytes: number
  /** How often whoever gets an answer bit by bit is asked about again. */
  recheckMs?: number
  log: Logger
}

type Params = Record<string, string | undefined>
type Asked = { request: IncomingMessage; params: Params; requestId: string; signal: AbortSignal }
type Answering = (asked: Asked) => Promise<RouteAnswer>
/** What one address takes; undefined for what is answered elsewhere. */
type Methods = Map<string, Answering | undefined>

/** Finds the route of a request, checks who asks, and answers. */
export function createRouter(deps: Deps): RequestHandler {
  const router = findMyWay({
    ignoreTrailingSlash: true,
    maxParamLength: 200,
    defaultRoute: (request, response) =>
      respond(deps, request, response, async () => {
        throw new GanchoError('NOT_FOUND', `There is nothing at ${pathOf(request).slice(0, 200)}.`)
      }),
  })
  for (const [path, methods] of addresses(deps)) {
    router.all(path, (request, response, params) =>
      respond(deps, request, response, (requestId) =>
        answerAt(deps, methods, { request, params, requestId, signal: goneSignal(response) }),
      ),
    )
  }
  return (request, response) => router.lookup(request, response)
}

function addresses(deps: Deps): Map<string, Methods> {
  const found = new Map<string, Methods>()
  const add = (path: string, method: string, answering: Answering | undefined) => {
    const methods: Methods = found.get(path) ?? new Map()
    found.set(path, methods.set(method, answering))
  }
  for (const { path, handle } of deps.open) add(path, 'GET', async ({ request }) => handle(request))
  for (const route of deps.routes) add(route.path, route.method, (asked) => handleRoute(deps, route, asked))
  for (const { path, method } of deps.elsewhere) add(path, method, undefined)
  return found
}

function respond(
  { log }: Deps,
  request: IncomingMessage,
  response: ServerResponse,
  make: (requestId: string) => Promise<RouteAnswer>,
): void {
  const requestId = requestIdOf(request)
  response.setHeader('x-request-id', requestId)
  make(requestId).then(
    (made) =>
      made.lines ? sendStream(response, made, made.lines, { requestId, log }) : sendAnswer(response, made),
    (error) => sendAnswer(response, errorAnswer(error, requestId, log)),
  )
}

async function answerAt({ log }: Deps, methods: Methods, asked: Asked): Promise<RouteAnswer> {
  const { request, requestId } = asked
  // Node sends no body with the answer to HEAD.
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
  const answering = methods.get(method)
  if (answering) return answering(asked)
  const allow = allowed(methods)
  if (method === 'OPTIONS') return { status: 204, headers: { allow } }
  const message = `${pathOf(request).slice(0, 200)} does not take ${request.method}.`
  const refused = errorAnswer(new GanchoError('METHOD_NOT_ALLOWED', message), requestId, log)
  return { ...refused, headers: { ...refused.headers, allow } }
}

const allowed = (methods: Methods) =>
  [...methods.keys(), ...(methods.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')

const pathOf = ({ url = '/' }: IncomingMessage) => url.split('?', 1)[0] ?? '/'

async function handleRoute(
  deps: Deps,
  route: Route,
  { request, params, requestId, signal }: Asked,
): Promise<RouteAnswer> {
  const principal = await deps.authenticate(request)
  checkAccess(route, principal)
  const body = await readBody(request, deps.maxBodyBytes)
  const answer = await route.handle({
    method: route.method,
    params: params as Record<string, string>,
    query: new URL(request.url ?? '/', 'http://localhost').searchParams,
    headers: request.headers,
    principal,
    body,
    requestId,
    signal,
  })
  if (!answer.lines) return answer
  const check = async () => checkAccess(route, await deps.authenticate(request))
  return { ...answer, lines: whileAllowed(answer.lines, check, deps.recheckMs) }
}

/** Aborted when the connection ends before its answer. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}

function checkAccess({ access, method }: Route, principal: Principal): void {
  if (access !== 'any' && access !== principal.kind) throw new GanchoError('FORBIDDEN')
  if (method !== 'GET' && !mayWrite(principal))
    throw new GanchoError('FORBIDDEN', 'This token may read, but change nothing.')
}
