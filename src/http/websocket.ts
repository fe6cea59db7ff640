import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { parse } from 'graphql'
import { handleProtocols, makeServer } from 'graphql-ws'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { GanchoError } from '../errors.ts'
import { schema } from '../graphql/schema.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { refuseConnection } from './broken-request.ts'
import { type AllowedOrigins, mayConnect } from './cors.ts'
import { graphqlPath } from './graphql-route.ts'
import { clientId, OperationIds } from './websocket-ids.ts'
import { type OpenedResults, type SessionDeps, WebSocketSession } from './websocket-session.ts'

export type WebSocketDeps = SessionDeps & {
  allowedOrigins: AllowedOrigins
  /** How long a client may take to say who it is. */
  initTimeoutMs: number
  /** Longest message of a client. */
  maxMessageBytes: number
  /** Connections, including those that have not said yet who they are. */
  maxSockets: number
}

export type UpgradeHandler = (request: IncomingMessage, connection: Duplex, head: Buffer) => void

/** How long a client may take to answer the end of its socket. */
const closeTimeoutMs = 3_000
/** Where the reason of an end tells an id as graphql-ws knows it. */
const ownId = /^Subscriber for \d+:/
/** Stands for any operation: what it is, `WebSocketSession.open` finds out. */
const anyOperation = parse('subscription { any }')

/** GraphQL over WebSocket, protocol graphql-transport-ws (graphql-ws, PROTOCOL.md). */
export function webSocketUpgrades(deps: WebSocketDeps): UpgradeHandler {
  const { log, initTimeoutMs, maxMessageBytes, maxSockets } = deps
  const protocol = graphqlProtocol(initTimeoutMs)
  const options = {
    ...{ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false, handleProtocols },
    closeTimeout: closeTimeoutMs,
  }
  const sockets = new WebSocketServer(options)
  return (request, connection, head) => {
    const refusal = refusalOf(deps.allowedOrigins, request, sockets.clients.size >= maxSockets)
    if (refusal) return refuseConnection(connection, refusal, log)
    sockets.handleUpgrade(request, connection, head, (socket) => {
      const session = new WebSocketSession(deps, socket, request, connection)
      serve(protocol, socket, session, log)
    })
  }
}

function refusalOf(
  allowed: AllowedOrigins,
  request: IncomingMessage,
  full: boolean,
): GanchoError | undefined {
  const path = (request.url ?? '').split('?', 1)[0]
  if (path !== graphqlPath) return new GanchoError('NOT_FOUND')
  if (!mayConnect(allowed, request)) return new GanchoError('ORIGIN_NOT_ALLOWED')
  return full ? new GanchoError('TOO_MANY_STREAMS') : undefined
}

function graphqlProtocol(connectionInitWaitTimeout: number) {
  return makeServer<Record<string, unknown>, WebSocketSession>({
    connectionInitWaitTimeout,
    onConnect: ({ extra, connectionParams }) => extra.admit(connectionParams),
    async onSubscribe({ extra }, id, payload) {
      const opened = await extra.open(clientId(id), payload)
      if ('errors' in opened) return opened.errors
      return { schema, document: anyOperation, contextValue: opened }
    },
    subscribe({ contextValue }) {
      const opened = contextValue as Exclude<OpenedResults, { errors: unknown }>
      return 'results' in opened ? opened.results : opened.result
    },
  })
}

function serve(
  protocol: ReturnType<typeof graphqlProtocol>,
  socket: WebSocket,
  session: WebSocketSession,
  log: Logger,
): void {
  const fail = (caught: unknown) => {
    const error = toGanchoError(caught)
    if (error.status >= 500) log.error({ err: error }, 'WebSocket failed')
    session.close(error)
  }
  const ids = new OperationIds()
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => session.send(ids.outward(text)),
      close: (code, reason) => socket.close(code, reason?.replace(ownId, 'Subscriber for ')),
      onMessage: (take) => socket.on('message', (data) => void take(ids.inward(String(data))).catch(fail)),
    },
    session,
  )
  socket.once('close', (code, reason) => {
    session.closed()
    closed(code, String(reason)).catch((err: unknown) => log.error({ err }, 'WebSocket did not end well'))
  })
}
