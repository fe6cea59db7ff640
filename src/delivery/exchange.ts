import type { Dispatcher } from 'undici'
import type { AttemptTiming } from '../events/job.ts'
import { BodyExcerpt } from './body-excerpt.ts'
import { describeError } from './describe-error.ts'
import type { Connection, HttpClient, Trace, TracedRequest } from './http-client.ts'

const excerptBytes = 16 * 1024
/** Up to here a body is read to its end, because the connection can be used again only then. */
export const readBytes = 1024 * 1024

export type ResponseHeaders = Record<string, string | string[]>

/** What came back. `error` tells why it is not a whole response; a status beside it means that the answer began. */
export type Exchanged = {
  response: { status: number; headers: ResponseHeaders; body: string } | null
  error: string | null
  /** Whether a connection was there to write the request to: without one, the receiver knows nothing of it. */
  sent: boolean
  timing: AttemptTiming
}

/** `keptBytes`: how much of the body is kept, up to `readBytes`; 16 KiB unless given. */
type Limits = { timeoutMs: number; signal?: AbortSignal | undefined; keptBytes?: number }

/**
 * Sends one request and reads its answer within `timeoutMs`, whatever the receiver does: memory is bounded, and a connection that
 * is not at the end of its answer is closed. Never rejects.
 */
export function exchange(
  client: HttpClient,
  request: Omit<TracedRequest, 'trace'>,
  limits: Limits,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const handler = new Exchange(limits, resolve)
    if (!handler.ended) client.dispatch({ ...request, trace: handler.trace }, handler)
  })
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly trace: Trace = { connection: null }
  ended = false
  readonly #limits: Limits
  readonly #resolve: (exchanged: Exchanged) => void
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  readonly #body: BodyExcerpt
  #response: { status: number; headers: ResponseHeaders } | null = null
  #controller: Dispatcher.DispatchController | null = null
  #connection: Connection | null = null
  #reused: boolean | null = null
  #sentAt: number | null = null
  #firstByteAt: number | null = null

  constructor(limits: Limits, resolve: (exchanged: Exchanged) => void) {
    this.#limits = limits
    this.#resolve = resolve
    this.#body = new BodyExcerpt(limits.keptBytes ?? excerptBytes)
    this.#timer = setTimeout(this.#onDeadline, limits.timeoutMs)
    limits.signal?.addEventListener('abort', this.#onAbort)
    if (limits.signal?.aborted) this.#onAbort()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, not aborted: undici then drops the request and keeps the connection, which is as good as new.
    if (this.ended) throw new Error('given up before it could be sent')
    this.#controller = controller
    this.#sentAt = performance.now()
    this.#connection = this.trace.connection?.() ?? null
    this.#reused = this.#connection?.used ?? null
    if (this.#connection) this.#connection.used = true
  }

  onResponseStarted(): void {
    this.#firstByteAt ??= performance.now()
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: object): void {
    // Informational responses (RFC 9110, 15.2) come before the answer.
    if (status >= 200) this.#response = { status, headers: headers as ResponseHeaders }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body.add(chunk)
    if (this.#body.seenBytes > readBytes)
      this.#end(`stopped reading the response body after ${readBytes} bytes`)
  }

  onResponseEnd(): void {
    this.#end(null)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(describeError(error))
  }

  readonly #onAbort = () => this.#end('aborted: shutting down')

  readonly #onDeadline = () => this.#end(`timeout after ${this.#limits.timeoutMs} ms ${this.#doing()}`)

  #doing(): string {
    if (this.#response) return 'reading the response body'
    if (this.#sentAt !== null) return 'waiting for the response headers'
    return this.trace.connection ? 'connecting' : 'waiting for a free connection'
  }

  #end(error: string | null): void {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.#timer)
    this.#limits.signal?.removeEventListener('abort', this.#onAbort)
    const response = this.#response && { ...this.#response, body: this.#body.text() }
    this.#resolve({ response, error, sent: this.#sentAt !== null, timing: this.#timing() })
    if (error !== null) this.#controller?.abort(new Error(error))
  }

  #timing(): AttemptTiming {
    const connection = this.#reused ? null : (this.#connection ?? this.#unused())
    const { startedAt = null, lookedUpAt = null, connectedAt = null } = connection ?? {}
    return {
      dnsMs: span(startedAt, lookedUpAt),
      connectMs: span(lookedUpAt ?? startedAt, connectedAt),
      tlsMs: connection?.secure ? span(connectedAt, connection.readyAt) : null,
      firstByteMs: span(this.#sentAt, this.#firstByteAt),
      totalMs: span(this.#startedAt, performance.now()) ?? 0,
      socketReused: this.#reused,
    }
  }

  /** The connection that was being opened for this request when it ended; an earlier one says nothing about it. */
  #unused(): Connection | null {
    const connection = this.trace.connection?.() ?? null
    return connection?.used ? null : connection
  }
}

/** To a tenth of a millisecond. */
function span(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.round((to - from) * 10) / 10
}
