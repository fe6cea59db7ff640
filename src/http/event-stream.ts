import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { type ErrorCode, GanchoError } from '../errors.ts'
import type { GraphqlServerContext } from '../graphql/context.ts'
import { paramsOf } from '../graphql/given-params.ts'
import type { OpenOperation, OperationParams, OperationStream } from '../graphql/operation-stream.ts'
import type { PersistedDocuments } from '../graphql/persisted-documents.ts'
import type { StreamReport } from '../graphql/stream-report.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { readBody } from '../rest/request-body.ts'
import type { Admitted, Identities } from '../tenants/identity.ts'
import type { StreamTickets, UsedTicket } from '../tenants/stream-tickets.ts'
import { acceptedJson, acceptsEventStream } from './accept.ts'
import {
  beginEventStream,
  carryEventStream,
  type EventStreamOptions,
  endEventStream,
  endingOf,
  isPassing,
} from './event-stream-connection.ts'
import { completeFrame, resultFrame } from './event-stream-frames.ts'
import type { OpenStreams } from './open-streams.ts'
import { operationKind } from './operation-kind.ts'

/** Answers with JSON, by the GraphQL endpoint. */
export type GraphqlFetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string },
  context: GraphqlServerContext,
) => Promise<Response> | Response

export type EventStreamDeps = EventStreamOptions & {
  identities: Identities
  tickets: StreamTickets
  streams: OpenStreams
  openOperation: OpenOperation
  documents: PersistedDocuments
  fetch: GraphqlFetch
  maxBodyBytes: number
  /** Longest request for a stream: what it holds is kept as long as the stream. */
  maxMessageBytes: number
  report: StreamReport
  log: Logger
}

export type EventStreamHandler = {
  /** Whether a request to the GraphQL endpoint is for this handler. */
  takes(request: IncomingMessage): boolean
  /** @throws GanchoError what is refused before a stream begins */
  serve(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>
}

type Asked = Admitted & { ticket: UsedTicket | undefined }
type Exchange = { request: IncomingMessage; response: ServerResponse; requestId: string }

/** GraphQL over SSE, distinct connections mode. */
export function eventStreamHandler(deps: EventStreamDeps): EventStreamHandler {
  return {
    takes: (request) => acceptsEventStream(request.headers) || ticketOf(request) !== null,
    async serve(request, response, requestId) {
      try {
        await serve(deps, { request, response, requestId })
      } catch (caught) {
        const error = toGanchoError(caught)
        // A browser's EventSource gives up for good on any status but 200, so what passes is told within a stream.
        if (ticketOf(request) === null || !isPassing(error) || response.headersSent) throw error
        beginEventStream(response)
        endEventStream(response, { error, cursor: undefined }, requestId)
      }
    },
  }
}

const queryOf = ({ url = '/' }: IncomingMessage) => new URL(url, 'http://gancho').searchParams
const ticketOf = (request: IncomingMessage) =>
  request.method === 'GET' && request.url?.includes('ticket=') ? queryOf(request).get('ticket') : null

async function serve(deps: EventStreamDeps, exchange: Exchange): Promise<void> {
  const { request } = exchange
  const asked = await admit(deps, request)
  const body = await readBody(request, deps.maxBodyBytes)
  const { method, headers } = request
  const contentType = headers['content-type']
  const given = paramsOf({ method, contentType, search: queryOf(request), body: body.toString() })
  const params = deps.documents.resolve(given, asked.principal)
  const kind = operationKind(params)
  if (kind === 'subscription') {
    if (body.length > deps.maxMessageBytes)
      throw new GanchoError('BODY_TOO_LARGE', `A subscription has at most ${deps.maxMessageBytes} bytes.`)
    return carry(deps, exchange, await open(deps, exchange, asked, params))
  }
  if (asked.ticket)
    throw new GanchoError('FORBIDDEN', 'A stream ticket opens subscriptions, and nothing else.')
  const accept = acceptedJson(request.headers)
  if (accept) return answerJson(deps, exchange, asked, body, accept)
  if (request.method === 'GET' && kind === 'mutation')
    throw new GanchoError('METHOD_NOT_ALLOWED', 'Mutations are sent with POST.')
  return answerOnce(deps, exchange, asked, params)
}

async function admit({ identities, tickets }: EventStreamDeps, request: IncomingMessage): Promise<Asked> {
  const shown = ticketOf(request)
  if (shown === null) return { ...(await identities.ofRequest(request)), ticket: undefined }
  if (!acceptsEventStream(request.headers)) throw new GanchoError('NOT_ACCEPTABLE')
  const ticket = await tickets.use(shown)
  const claim = { identity: ticket.identity, from: identities.from(request) }
  return { claim, principal: await identities.ask(claim), ticket }
}

const contextOf = ({ claim, principal }: Admitted, { requestId }: Exchange): GraphqlServerContext => ({
  principal,
  requestId,
  identify: async () => claim.identity,
})

type Opened =
  | { kind: 'stream'; stream: OperationStream; ended: AbortSignal; release: () => void }
  | { kind: 'result'; status: number; json: string }

/** Opens a stream within its limits. What it needs for that, such as the document, is not kept for as long as the stream lasts. */
async function open(
  { streams, openOperation }: EventStreamDeps,
  exchange: Exchange,
  asked: Asked,
  params: OperationParams,
): Promise<Opened> {
  const { request, response } = exchange
  if (!acceptsEventStream(request.headers)) throw new GanchoError('NOT_ACCEPTABLE')
  const ending = endingOf(response)
  const taken: (() => void)[] = []
  const release = () => {
    for (const giveBack of taken.splice(0)) giveBack()
  }
  try {
    taken.push(await streams.take(asked.principal))
    const watcher = { end: (error: GanchoError) => ending.abort(error) }
    taken.push(await streams.watch(asked, watcher, asked.ticket))
    const lastEventId = headerOf(request, 'last-event-id')
    const opened = await openOperation(params, contextOf(asked, exchange), { lastEventId })
    if (opened.kind === 'stream') return { ...opened, ended: ending.signal, release }
    release()
    return { kind: 'result', status: opened.status, json: JSON.stringify(opened.result) }
  } catch (error) {
    release()
    throw error
  }
}

async function carry(
  deps: EventStreamDeps,
  { response, requestId }: Exchange,
  opened: Opened,
): Promise<void> {
  if (opened.kind === 'result') return sendResult(response, opened.status, opened.json)
  const { stream, ended, release } = opened
  let code: ErrorCode | 'DONE' = 'INTERNAL'
  deps.report.opened('sse')
  try {
    const { error } = await carryEventStream(response, stream, ended, requestId, deps)
    code = error?.code ?? 'DONE'
    if (error && error.status >= 500 && error.code !== 'SHUTTING_DOWN')
      deps.log.error({ err: error, requestId }, 'event stream failed')
  } finally {
    deps.report.ended('sse', code)
    release()
  }
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value ? value : undefined
}

async function answerJson(
  { fetch }: EventStreamDeps,
  exchange: Exchange,
  asked: Asked,
  body: Buffer,
  accept: string,
): Promise<void> {
  const { method = 'GET', url, headers } = exchange.request
  const named = ['content-type', 'authorization'].map((name) => [name, headers[name]])
  const sent = Object.fromEntries([...named.filter(([, value]) => value !== undefined), ['accept', accept]])
  const init = { method, headers: sent, ...(method === 'POST' && { body: body.toString() }) }
  const answer = await fetch(`http://gancho${url}`, init, contextOf(asked, exchange))
  const { response } = exchange
  response.statusCode = answer.status
  response.setHeaders(answer.headers)
  response.end(await answer.text())
}

async function answerOnce(
  { openOperation }: EventStreamDeps,
  exchange: Exchange,
  asked: Asked,
  params: OperationParams,
): Promise<void> {
  const opened = await openOperation(params, contextOf(asked, exchange))
  if (opened.kind === 'stream') {
    opened.stream.close()
    throw new GanchoError('INTERNAL')
  }
  const { response } = exchange
  const json = JSON.stringify(opened.result)
  if (opened.status !== 200) return sendResult(response, opened.status, json)
  beginEventStream(response)
  response.end(`${resultFrame(json)}${completeFrame}`)
}

function sendResult(response: ServerResponse, status: number, json: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.end(json)
}
