import { isIP, type Socket } from 'node:net'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import { type AddressGuard, AddressRefused } from './address-guard.ts'

export type HttpClientOptions = {
  connectTimeoutMs: number
  /** Bound of open connections to one origin, 128 unless given; more than the requests in flight, so that none waits. */
  connectionsPerOrigin?: number
  /** Certificate authorities (PEM) to trust instead of Node's. */
  ca?: string | Buffer | (string | Buffer)[]
  /** Refuses addresses that these requests may not go to; without one, every address is taken. */
  guard?: AddressGuard
}

/** A connection as far as it came; times on the clock of `performance.now()`. */
export type Connection = {
  startedAt: number
  lookedUpAt: number | null
  connectedAt: number | null
  /** When it could carry a request: connected, and for https after the TLS handshake. */
  readyAt: number | null
  secure: boolean
  /** Whether a request was written to it. */
  used: boolean
}

/** Travels with a request: tells its connection as soon as one was chosen for it. */
export type Trace = { connection: (() => Connection | null) | null }

export type TracedRequest = Dispatcher.DispatchOptions & { origin: string; trace: Trace }

export type HttpClient = {
  /** Sends the request over the pool of its origin. Everything is told to the handler; nothing is thrown. */
  dispatch(request: TracedRequest, handler: Dispatcher.DispatchHandler): void
  /** How many origins have open connections or requests; those that fall idle drop out with their last connection. */
  originCount(): number
  /** Closes all connections; requests still running end with an error. */
  close(): Promise<void>
}

type Connect = (target: buildConnector.Options, callback: buildConnector.Callback) => Connection

/**
 * A pool of keep-alive HTTP/1.1 connections for each origin. Redirects are not followed, and of timeouts only the one for
 * connecting (TLS handshake included) is set here: the caller has a deadline for the whole request.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const pools = new Map<string, Pool>()
  let closed = false
  const open = (origin: string): Pool => {
    const pool = openPool(origin, options)
    // Dispatching to it is then an error that the handler hears.
    if (closed) void pool.destroy()
    else forgetWhenEmpty(pools, origin, pool)
    return pool
  }
  return {
    dispatch: (request, handler) => {
      const pool = pools.get(request.origin) ?? open(request.origin)
      pool.dispatch(request, handler)
    },
    originCount: () => pools.size,
    close: async () => {
      closed = true
      const open = [...pools.values()]
      pools.clear()
      await Promise.all(open.map((pool) => pool.destroy()))
    },
  }
}

function openPool(
  origin: string,
  { connectTimeoutMs, connectionsPerOrigin = 128, ca, guard }: HttpClientOptions,
): Pool {
  const trust = ca === undefined ? {} : { ca }
  const lookup = guard && { lookup: guard.lookup }
  const connector = buildConnector({ timeout: connectTimeoutMs, allowH2: false, ...trust, ...lookup })
  const connect = tracedConnect(connector, guard)
  return new Pool(origin, {
    connections: connectionsPerOrigin,
    allowH2: false,
    factory: (url) => new TracedClient(url, connect),
  })
}

/** undici's own Agent keeps the pool of an origin that failed while all its connections were busy, so it is not used here. */
function forgetWhenEmpty(pools: Map<string, Pool>, origin: string, pool: Pool): void {
  const forget = () => {
    const { connected, size } = pool.stats
    if (connected > 0 || size > 0 || pools.get(origin) !== pool) return
    pools.delete(origin)
    void pool.close()
  }
  pools.set(origin, pool.on('disconnect', forget).on('connectionError', forget))
}

function tracedConnect(connector: buildConnector.connector, guard: AddressGuard | undefined): Connect {
  return (target, callback) => {
    const connection: Connection = {
      startedAt: performance.now(),
      lookedUpAt: null,
      connectedAt: null,
      readyAt: null,
      secure: target.protocol === 'https:',
      used: false,
    }
    const ready: buildConnector.Callback = (...result) => {
      if (result[0] === null) connection.readyAt = performance.now()
      callback(...result)
    }
    // Node looks nothing up for a literal address.
    if (guard && isIP(target.hostname) !== 0 && !guard.allows(target.hostname)) {
      setImmediate(ready, new AddressRefused(target.hostname), null)
      return connection
    }
    // undici's connector returns the socket, although its types do not say so; the tests of the timings notice if that changes.
    const socket = connector(target, ready) as unknown as Socket
    socket.once('lookup', () => {
      connection.lookedUpAt = performance.now()
    })
    // Before undici's own listener, which writes the request.
    socket.prependOnceListener('connect', () => {
      connection.connectedAt = performance.now()
    })
    return connection
  }
}

/** A client is one connection at a time with one request at a time, so the connection it has is the one its request uses. */
class TracedClient extends Client {
  #connection: Connection | null = null

  constructor(url: URL, connect: Connect) {
    super(url, {
      connect: (target, callback) => {
        this.#connection = connect(target, callback)
      },
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if ('trace' in request) (request as TracedRequest).trace.connection = () => this.#connection
    // To the pool, `false` means busy until the next `drain`. A client that refused the request (a header that cannot be sent) is not
    // busy and never drains, so it would be lost to the pool.
    return super.dispatch(request, handler) || this.stats.size === 0
  }
}
