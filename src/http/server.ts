import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, Server as SocketServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { answerBrokenRequest, refuseConnection } from './broken-request.ts'
import type { RequestHandler } from './middleware.ts'
import type { UpgradeHandler } from './websocket.ts'

export type HttpServer = {
  /** Resolves with the port it listens on. */
  listen(port: number, host: string): Promise<number>
  /**
   * Takes no new connection, lets requests in flight finish, and cuts what is left after `withinMs`. Half a second of it is for
   * requests that come over connections which are open: their answers end them, and the sender's next one finds another process.
   */
  close(withinMs: number): Promise<void>
}

type Deps = {
  /** `POST /webhook`, undefined for a process without intake. */
  webhook: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** Everything else. */
  handle: RequestHandler
  /** WebSockets, undefined for a process without them. */
  upgrade?: UpgradeHandler
  /** Longest time in which a request may arrive, headers and body. */
  requestTimeoutMs: number
  log: Logger
}

/** Longer than the idle time-outs of common proxies, so that they, and not Gancho, end an idle connection. */
const keepAliveMs = 75_000
const slowestHeadersMs = 10_000
/** How often Node looks for slow requests, as a share of their time-out. */
const timeoutPrecision = 1 / 6
const idleSweepMs = 100
/** How long a connection may bring another request when the server closes. */
const lastRequestsMs = 500

export function createHttpServer({ webhook, handle, upgrade, requestTimeoutMs, log }: Deps): HttpServer {
  const options: ServerOptions = {
    keepAliveTimeout: keepAliveMs,
    headersTimeout: Math.min(slowestHeadersMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.ceil(requestTimeoutMs * timeoutPrecision),
    // Another protocol that a client offers, such as h2c, is declined by an ordinary answer.
    shouldUpgradeCallback: ({ headers }) =>
      upgrade !== undefined && /^websocket$/i.test(headers.upgrade ?? ''),
  }
  /** The latest of each connection. */
  const answers = new Map<Duplex, ServerResponse>()
  let closing = false
  const server = createServer(options, (request, response) => {
    answers.set(request.socket, response)
    // A sender that keeps its connection busy would otherwise hold up the end.
    if (closing) response.shouldKeepAlive = false
    const isWebhook = request.method === 'POST' && isPath(request.url ?? '', '/webhook')
    if (webhook && isWebhook) webhook(request, response)
    else handle(request, response)
  })
  server.on('connection', (socket) => socket.once('close', () => answers.delete(socket)))
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
    // Before a WebSocket takes it over, and after it has let go.
    socket.on('error', () => socket.destroy())
    if (closing) refuseConnection(socket, new GanchoError('SHUTTING_DOWN'), log)
    else upgrade?.(request, socket, head)
  })
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket, answers.get(socket), log))
  return {
    listen: (port, host) => listen(server, port, host),
    close(withinMs) {
      closing = true
      // One that is given after the half second would leave its connection open just until the sender's next request is on its way.
      for (const answer of answers.values()) if (!answer.headersSent) answer.shouldKeepAlive = false
      return close(server, upgraded, withinMs)
    },
  }
}

/** Compares without parsing: this runs for every event. */
function isPath(url: string, path: string): boolean {
  return url === path || (url.startsWith(path) && /^\/?(\?|$)/.test(url.slice(path.length)))
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function close(server: Server, upgraded: ReadonlySet<Duplex>, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections()
      // These are no longer the HTTP server's.
      for (const socket of upgraded) socket.destroy()
    }, withinMs)
    // A process that had to wait for its turn finds its timer due, and requests that came meanwhile: those are read first.
    const closeIdle = () => setImmediate(() => server.closeIdleConnections())
    let sweep: NodeJS.Timeout | undefined
    // A connection that is closed while its next request is on the way looks like a refusal to the sender.
    const linger = setTimeout(
      () => {
        closeIdle()
        // Connections that fall idle after their last answer would stay open for the keep-alive time.
        sweep = setInterval(closeIdle, idleSweepMs)
      },
      Math.min(lastRequestsMs, withinMs),
    )
    // That of an HTTP server closes idle connections first.
    SocketServer.prototype.close.call(server, () => {
      for (const timer of [cut, linger, sweep]) clearTimeout(timer)
      resolve()
    })
  })
}
