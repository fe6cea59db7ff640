import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { GraphQLError } from 'graphql'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import { GanchoError } from '../errors.ts'
import type { OpenOperation, OperationStream } from '../graphql/operation-stream.ts'
import type { PersistedDocuments } from '../graphql/persisted-documents.ts'
import type { StreamReport } from '../graphql/stream-report.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { requestIdOf } from '../rest/request-id.ts'
import type { Admitted, Identities } from '../tenants/identity.ts'
import type { OpenStreams } from './open-streams.ts'
import { operationKind } from './operation-kind.ts'
import type { Ending, Outlet } from './pump.ts'
import { endingMessage, nextMessages, pingMessage } from './websocket-frames.ts'
import { type CarriedOperation, carryOperation } from './websocket-operation.ts'

export type SessionDeps = {
  identities: Pick<Identities, 'ask' | 'ofRequest'>
  streams: Pick<OpenStreams, 'take' | 'watch'>
  openOperation: OpenOperation
  documents: PersistedDocuments
  report: StreamReport
  log: Logger
  /** How often a client is pinged. One that is silent for one and a half times as long is taken for dead. */
  keepAliveMs: number
  /** How long what was sent may stay unread. */
  stallMs: number
  /** At one time on one socket. */
  maxOperations: number
}

/** What `openResults` hands to graphql-ws: errors before execution, a single result, or what carries a stream. */
export type OpenedResults =
  | { errors: readonly GraphQLError[] }
  | { result: Extract<Awaited<ReturnType<OpenOperation>>, { kind: 'result' }>['result'] }
  | { results: CarriedOperation['results'] }

/** `carried` is undefined while it is being opened. A client may use an id again for the next one. */
type Operation = { id: string; carried: CarriedOperation | undefined }

const silence = 1.5
/** Answers that a client has not read, beyond which nothing more of it is read. */
const maxUnreadBytes = 1_048_576

/** One client's socket: who it is, what it subscribed to, and whether it still listens. */
export class WebSocketSession {
  readonly #deps: SessionDeps
  readonly #socket: WebSocket
  readonly #connection: Duplex
  readonly #request: IncomingMessage
  readonly #requestId: string
  readonly #operations = new Set<Operation>()
  readonly #pinging: NodeJS.Timeout
  #admitted: Admitted | undefined
  /** Why it was closed from here. */
  #closedFor: GanchoError | undefined
  #stopWatching: () => void = () => {}
  #heardAt = performance.now()
  /** When it was pinged last. */
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(deps: SessionDeps, socket: WebSocket, request: IncomingMessage, connection: Duplex) {
    this.#deps = deps
    this.#socket = socket
    this.#connection = connection
    this.#request = request
    this.#requestId = requestIdOf(request)
    for (const event of ['message', 'ping', 'pong'] as const) socket.on(event, () => this.#heard())
    // The socket closes by itself, with the fitting code.
    socket.on('error', () => undefined)
    // What came while this process had to wait for its turn is read before.
    this.#pinging = setInterval(() => setImmediate(() => this.#ping()), deps.keepAliveMs)
  }

  /** @throws GanchoError what the token, or the lack of one, is refused with */
  async admit(params: Readonly<Record<string, unknown>> | undefined): Promise<void> {
    const { headers, socket } = this.#request
    const given = params?.authorization ?? params?.Authorization
    const authorization = typeof given === 'string' ? given : headers.authorization
    const admitted = await this.#deps.identities.ofRequest({
      headers: { ...headers, authorization },
      socket: { remoteAddress: socket.remoteAddress },
    })
    this.#stopWatching = await this.#deps.streams.watch(admitted, { end: (error) => this.end(error) })
    this.#admitted = admitted
    if (this.#socket.readyState !== this.#socket.OPEN) this.closed()
  }

  /** Starts an operation. Never throws. */
  async open(id: string, given: unknown): Promise<OpenedResults> {
    if (this.#operations.size >= this.#deps.maxOperations)
      return this.#refused(tooMany(this.#deps.maxOperations))
    const operation: Operation = { id, carried: undefined }
    this.#operations.add(operation)
    let giveBack = () => {}
    try {
      if (!this.#admitted) throw new GanchoError('UNAUTHENTICATED')
      const { claim } = this.#admitted
      const principal = await this.#deps.identities.ask(claim)
      const params = this.#deps.documents.resolve(given, principal)
      if (operationKind(params) === 'subscription') giveBack = await this.#deps.streams.take(principal)
      const context = { principal, requestId: this.#requestId, identify: async () => claim.identity }
      const opened = await this.#deps.openOperation(params, context)
      if (opened.kind === 'stream') return { results: this.#carry(operation, opened.stream, giveBack) }
      giveBack()
      this.#operations.delete(operation)
      const { result } = opened
      return result.errors && result.data === undefined ? { errors: result.errors } : { result }
    } catch (error) {
      giveBack()
      this.#operations.delete(operation)
      return this.#refused(toGanchoError(error))
    }
  }

  send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.send(text)
    if (this.#socket.bufferedAmount < maxUnreadBytes || this.#socket.isPaused) return
    // Whoever asks on and on, and reads no answer, is not read either.
    this.#socket.pause()
    this.#connection.once('drain', () => {
      this.#heard()
      this.#socket.resume()
    })
  }

  /** Ends all operations with an error that each of them tells, and then the socket. */
  end(error: GanchoError): void {
    if (error.code === 'SHUTTING_DOWN') {
      // Clients of graphql-ws subscribe again by themselves, unless their operations were completed.
      setImmediate(() => {
        this.send(pingMessage(this.#cursors()))
        this.close(error)
      })
      return
    }
    const running = [...this.#operations].flatMap(({ carried }) => carried ?? [])
    for (const carried of running) carried.end(error)
    const completed = Promise.all(running.map(({ done }) => done))
    // graphql-ws completes them after they are done.
    void completed.then(() => setImmediate(() => this.close(error)))
  }

  /** Closes the socket, with the code of the error as the reason. */
  close(error: GanchoError): void {
    this.#closedFor ??= error
    this.#socket.close(closeCode(error), error.code)
  }

  /** To be called when the socket is closed. */
  closed(): void {
    clearInterval(this.#pinging)
    this.#stopWatching()
    // graphql-ws ends none that is still to be asked for its results.
    for (const { carried } of this.#operations) carried?.end(null)
  }

  #refused(error: GanchoError): OpenedResults {
    const { message, code, details, retryAfterSeconds, status } = error
    if (status >= 500) this.#deps.log.error({ err: error, requestId: this.#requestId }, 'operation failed')
    const extensions = { code, requestId: this.#requestId, details, retryAfterSeconds }
    return { errors: [new GraphQLError(message, { extensions })] }
  }

  #carry(operation: Operation, stream: OperationStream, giveBack: () => void): CarriedOperation['results'] {
    const { id } = operation
    const onEnd = ({ error, cursor }: Ending) => {
      giveBack()
      this.#operations.delete(operation)
      this.#deps.report.ended('websocket', (error ?? this.#closedFor)?.code ?? 'DONE')
      if (error) this.#tellEnd(id, error, cursor)
    }
    const { stallMs, report } = this.#deps
    report.opened('websocket')
    operation.carried = carryOperation({ stream, outlet: this.#outlet(id), stallMs, onEnd })
    // Whoever is cut off before the first message can resume too.
    const cursor = stream.cursor()
    if (cursor !== undefined) this.send(pingMessage({ [id]: cursor }))
    return operation.carried.results
  }

  #tellEnd(id: string, error: GanchoError, cursor: string | undefined): void {
    if (error.status >= 500) this.#deps.log.error({ err: error, requestId: this.#requestId }, 'stream failed')
    this.send(endingMessage(id, error, this.#requestId, cursor))
    // All operations share the connection: when one of them is not read, none is.
    if (error.code === 'SLOW_CONSUMER') setImmediate(() => this.close(error))
  }

  #outlet(id: string): Outlet {
    const connection = this.#connection
    return {
      write: (batch) => {
        connection.cork()
        for (const message of nextMessages(id, batch)) this.send(message)
        connection.uncork()
        return !connection.writableNeedDrain
      },
      onceDrained(call) {
        connection.once('drain', call)
        return () => connection.off('drain', call)
      },
    }
  }

  #heard(): void {
    this.#heardAt = performance.now()
  }

  #ping(): void {
    const isUnread = this.#connection.writableNeedDrain
    const isSilent = performance.now() - this.#heardAt > this.#deps.keepAliveMs * silence
    // Whoever has answered the last ping is not silent, but was asked late.
    if (isSilent && (isUnread || this.#heardAt < this.#askedAt)) this.#socket.terminate()
    if (this.#socket.readyState !== this.#socket.OPEN || isUnread) return
    this.#askedAt = performance.now()
    // Both kinds: every client answers the one, and only the other can carry cursors.
    this.#socket.ping()
    if (this.#admitted) this.send(pingMessage(this.#cursors()))
  }

  #cursors(): Record<string, string> {
    const known = [...this.#operations].flatMap(({ id, carried }) => {
      const cursor = carried?.cursor()
      return cursor === undefined ? [] : [[id, cursor]]
    })
    return Object.fromEntries(known)
  }
}

const tooMany = (max: number) =>
  new GanchoError('TOO_MANY_SUBSCRIPTIONS', `A socket has at most ${max} operations at a time.`, {
    details: { max },
  })

/** Codes of graphql-transport-ws where it has one, else of RFC 6455: after these its clients connect again. */
function closeCode({ code, status }: GanchoError): number {
  if (code === 'SHUTTING_DOWN') return 1001
  if (status === 401) return 4401
  if (status === 403) return 4403
  if (status === 503 || status === 429 || code === 'SLOW_CONSUMER') return 1013
  return 4500
}
