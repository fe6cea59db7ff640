import { setTimeout as sleep } from 'node:timers/promises'
import { problemOf } from '../api.ts'
import { CliError, exitCodes } from '../failure.ts'
import { type ServerSentEvent, serverSentEvents } from './server-sent-events.ts'

export type FollowOptions = {
  /** Opens the stream behind a cursor, or at its live end. @throws CliError */
  open(cursor: string | undefined, signal: AbortSignal): Promise<Response>
  /** Where to begin; the live end when undefined. */
  after: string | undefined
  /** Told when the stream was lost, and when it will be tried again. */
  onLost(problem: CliError, delayMs: number): void
  /** Ends it all. */
  signal: AbortSignal
  /** First delay; each further one in a row is twice as long. */
  retryMs: number
  mostRetryMs: number
  /** After so long without a sign of life, comments included, a connection counts as lost. */
  silenceMs: number
  random(): number
}

/** A GraphQL result of the subscription, and the cursor behind it. */
export type Followed = { data: unknown; cursor: string | undefined }

/** What no repetition mends. */
const final =
  /^(BAD_REQUEST|INVALID_CURSOR|NOT_ACCEPTABLE|UNAUTHENTICATED|FORBIDDEN|OUTSIDE_ACCESS_WINDOW|ADDRESS_NOT_ALLOWED|TENANT_INACTIVE|TENANT_NOT_FOUND|NOT_FOUND|METHOD_NOT_ALLOWED|GRAPHQL_\w+)$/

/**
 * The results of a GraphQL subscription over server-sent events (the protocol of graphql-sse, distinct connections): `next` carries
 * a result, `complete` ends. A stream that ends or breaks is taken up again behind the last cursor, after delays that grow with
 * each failure in a row.
 * @throws CliError what no repetition mends
 */
export async function* follow(options: FollowOptions): AsyncGenerator<Followed, void, undefined> {
  const state: State = { cursor: options.after, retryMs: options.retryMs, failures: 0 }
  while (!options.signal.aborted) {
    const lost = yield* oneConnection(options, state)
    if (options.signal.aborted) return
    const delayMs = delay(state, options, lost)
    state.failures += 1
    options.onLost(lost, delayMs)
    await sleep(delayMs, undefined, { signal: options.signal }).catch(() => undefined)
  }
}

type State = { cursor: string | undefined; retryMs: number; failures: number }

/** Returns why it is over. */
async function* oneConnection(
  options: FollowOptions,
  state: State,
): AsyncGenerator<Followed, CliError, undefined> {
  const connection = watched(options)
  try {
    const response = await options.open(state.cursor, connection.signal)
    yield* results(serverSentEvents(connection.alive(response)), state)
    return new CliError(exitCodes.unreachable, 'The stream has ended.')
  } catch (error) {
    const lost = problemOfStream(error)
    if (!options.signal.aborted && final.test(lost.code ?? '')) throw lost
    return lost
  } finally {
    connection.end()
  }
}

async function* results(
  events: AsyncIterable<ServerSentEvent>,
  state: State,
): AsyncGenerator<Followed, void, undefined> {
  for await (const event of events) {
    state.cursor = event.lastEventId ?? state.cursor
    state.retryMs = event.retryMs ?? state.retryMs
    state.failures = 0
    if (event.event === 'complete') return
    if (event.event === 'next' && event.data !== null) yield { data: resultOf(event), cursor: state.cursor }
  }
}

/** Half of it is left to chance, so that those who lost the same server do not come back together. */
function delay({ failures, retryMs }: State, { mostRetryMs, random }: FollowOptions, lost: CliError): number {
  const grown = Math.min(retryMs * 2 ** failures, mostRetryMs)
  return Math.max(lost.retryAfterMs ?? 0, Math.round(grown / 2 + (grown / 2) * random()))
}

function resultOf({ data }: ServerSentEvent): unknown {
  const result: unknown = JSON.parse(data ?? 'null')
  const problem = problemOf(result)
  if (problem) {
    const { code, requestId, message = 'The stream failed.', retryAfterSeconds } = problem
    const retryAfterMs = retryAfterSeconds && retryAfterSeconds * 1_000
    throw new CliError(exitCodes.failed, message, { code, requestId, retryAfterMs })
  }
  return (result as { data?: unknown } | null)?.data
}

/** A signal for one connection that is also aborted by silence. */
function watched({ signal, silenceMs }: FollowOptions) {
  const silent = new AbortController()
  let timer = setTimeout(() => silent.abort(), silenceMs)
  async function* alive({ body }: Response): AsyncGenerator<Uint8Array> {
    for await (const chunk of body ?? []) {
      clearTimeout(timer)
      timer = setTimeout(() => silent.abort(), silenceMs)
      yield chunk as Uint8Array
    }
  }
  const end = () => {
    clearTimeout(timer)
    silent.abort()
  }
  return { signal: AbortSignal.any([signal, silent.signal]), alive, end }
}

function problemOfStream(error: unknown): CliError {
  if (error instanceof CliError) return error
  const { name, message, cause } = error as Error & { cause?: { code?: string } }
  const why = name === 'AbortError' ? 'it fell silent' : (cause?.code ?? message)
  return new CliError(exitCodes.unreachable, `The stream broke off (${why}).`)
}
