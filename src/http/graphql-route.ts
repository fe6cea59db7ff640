import type { IncomingMessage, ServerResponse } from 'node:http'
import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import type { HelmetOptions } from 'helmet'
import type { Logger } from 'pino'
import type { GraphqlServerContext } from '../graphql/context.ts'
import { errorAnswer, sendAnswer } from '../rest/answer.ts'
import { readBody } from '../rest/request-body.ts'
import { requestIdOf } from '../rest/request-id.ts'
import type { RouteAnswer } from '../rest/route.ts'
import type { Identities } from '../tenants/identity.ts'
import type { Authenticate } from '../tenants/principal.ts'
import { type AllowedOrigins, allowOrigins } from './cors.ts'
import type { EventStreamHandler } from './event-stream.ts'
import { type RequestHandler, withMiddleware } from './middleware.ts'

export type GraphqlHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  context: GraphqlServerContext,
) => unknown

type Deps = {
  graphql: GraphqlHandler
  authenticate: Authenticate
  identities: Pick<Identities, 'ofRequest'>
  eventStreams: EventStreamHandler
  allowedOrigins: AllowedOrigins
  maxBodyBytes: number
  /** Whether browsers get GraphiQL. */
  graphiql: boolean
  log: Logger
  /** Takes every other address. */
  otherwise: RequestHandler
}

export const graphqlPath = '/graphql'

/** GraphiQL brings its scripts and styles in its page and starts its editors' workers from there. */
const graphiqlPolicy: HelmetOptions = {
  contentSecurityPolicy: {
    directives: {
      scriptSrc: ["'self'", "'unsafe-inline'", 'blob:'],
      workerSrc: ["'self'", 'blob:', 'data:'],
      connectSrc: ["'self'", 'blob:', 'data:'],
      upgradeInsecureRequests: null,
    },
  },
}

/** `/graphql`: the endpoint for whoever has a token, and GraphiQL for a browser that opens it. */
export function graphqlRoute(deps: Deps): RequestHandler {
  const { graphql, authenticate, identities, eventStreams, graphiql, log, otherwise } = deps
  const page = graphiql ? graphiqlPage() : undefined
  const endpoint = withMiddleware((request, response) => {
    const requestId = requestIdOf(request)
    response.setHeader('x-request-id', requestId)
    if (allowOrigins(deps.allowedOrigins, request, response)) return
    const identify = async () => (await identities.ofRequest(request)).claim.identity
    const serve = async () => {
      if (eventStreams.takes(request)) return eventStreams.serve(request, response, requestId)
      const principal = await authenticate(request)
      const body = await readBody(request, deps.maxBodyBytes)
      await graphql(request, response, { principal, requestId, identify, body })
    }
    serve().catch((error) => sendAnswer(response, forBothKinds(errorAnswer(error, requestId, log))))
  })
  const rest = withMiddleware(otherwise)
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]
    if (path !== graphqlPath) rest(request, response)
    else if (page && wantsPage(request)) page(request, response)
    else endpoint(request, response)
  }
}

const wantsPage = ({ method, headers }: IncomingMessage) =>
  method === 'GET' && (headers.accept ?? '').includes('text/html')

/** Refused before GraphQL saw the request, in the form of every error and in that of GraphQL, so that its clients show the message. */
function forBothKinds(answer: RouteAnswer): RouteAnswer {
  const { error } = answer.body as { error: { message: string } }
  const { message, ...extensions } = error
  return { ...answer, body: { error, errors: [{ message, extensions }] } }
}

const firstQuery = `# Put a token in the place of <token>
# in the Headers tab below: npm start prints one.
# The round arrows at the left load the schema.
{
  viewer { kind }
  jobs(first: 10) {
    edges { node { id status explanation } }
  }
}
`

function graphiqlPage(): RequestHandler {
  const headers = JSON.stringify({ authorization: 'Bearer <token>' })
  const html = renderGraphiQL({ title: 'Gancho', endpoint: graphqlPath, headers, defaultQuery: firstQuery })
  return withMiddleware((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(html)
  }, graphiqlPolicy)
}
