import type { Redis } from 'ioredis'
import { GanchoError } from '../errors.ts'
import { channels, keys } from '../redis/keys.ts'
import { loadScript, type Script, type ScriptArgument } from '../redis/scripts.ts'
import type { RateLimit } from '../tenants/limits.ts'
import type { Accepted, IncomingEvent } from './event.ts'
import { flatUuid } from './flat-uuid.ts'
import { isOperational } from './operational-events.ts'
import { type RateLimitState, rateLimited } from './rate-limit.ts'
import {
  type MatchAnswer,
  matchedReply,
  type NamedAnswer,
  type NamedReply,
  namedReply,
} from './reply-candidate.ts'
import type { Router } from './routing.ts'
import { scriptEvent, scriptReply } from './script-event.ts'

export type Intake = {
  /**
   * Makes the event durable: when this resolves, it is numbered and in Redis.
   * @throws GanchoError RESERVED_EVENT_TYPE, RATE_LIMITED, BACKLOG_FULL, IDEMPOTENCY_CONFLICT or REDIS_UNAVAILABLE. After the last one the event may or may
   * not have been accepted (the answer was lost), but no more than once.
   */
  accept(event: IncomingEvent): Promise<Accepted>
}

/** The data set that numbers are taken from. */
type NumberSource = {
  epoch(): string
  /** Finds it anew when Redis was replaced, or came back with less than it had. */
  reopen(): Promise<string>
  /** Remembers a number that was given. */
  given(n: number): void
  highestGiven(): number
}

type Deps = {
  redis: Redis
  route: Router
  dataSet: NumberSource
  /** Whether Redis' memory is so full that nothing may be added. */
  memoryIsShort: () => boolean
  maxBacklog: number
  idempotencyTtlSeconds: number
}

type Waiting = {
  eventId: string
  args: readonly ScriptArgument[]
  /** How many destinations it has. */
  count: number
  rateLimit: RateLimit | undefined
  bytes: number
  resolve: (accepted: Accepted) => void
  reject: (error: unknown) => void
}

/** Bounds of one script call: Redis serves nobody else while it runs. */
const maxEventsPerCall = 200
const maxBytesPerCall = 4 * 1024 * 1024
/** Bodies that wait for Redis' answer: more are refused, because a Redis that hangs would let them fill memory. */
const maxBytesInFlight = 256 * 1024 * 1024

/**
 * Accepts events with one script call for all requests of an event-loop turn; a reply that is named itself goes alone, at once, because
 * somebody waits for it.
 */
export function createIntake(deps: Deps): Intake {
  const script = loadScript(deps.redis, 'accept')
  const replyScript = loadScript(deps.redis, 'accept-reply')
  const scriptKeys = [keys.seq, keys.epoch, keys.inbox, keys.journal, keys.kept, keys.keptOf]
  let waiting: Waiting[] = []
  let waitingBytes = 0
  let bytesInFlight = 0

  const prefixes = [keys.jobPrefix, keys.orderPrefix, keys.awaitPrefix, channels.prefix]
  const call = (run: Script, args: readonly ScriptArgument[], epoch: string): Promise<unknown> =>
    run(scriptKeys, [epoch, deps.maxBacklog, deps.dataSet.highestGiven(), ...prefixes, ...args])

  const argsOf = (batch: readonly Waiting[]): ScriptArgument[] => {
    const args: ScriptArgument[] = [keys.idempotencyPrefix, deps.idempotencyTtlSeconds, keys.ratePrefix]
    for (const one of batch) for (const arg of one.args) args.push(arg)
    return args
  }

  const ask = async <Answer>(run: Script, args: readonly ScriptArgument[]): Promise<Answer> => {
    let answer = await call(run, args, deps.dataSet.epoch())
    if (answer === 'EPOCH') answer = await call(run, args, await deps.dataSet.reopen())
    if (answer === 'EPOCH') throw new Error('The data set changed again while it was found anew.')
    return answer as Answer
  }

  /** What a caller is told. What was not answered in time still waits to be sent, and would be accepted long after its sender was refused. */
  const failed = (cause: unknown): GanchoError => {
    if ((cause as Error).message === 'Command timed out') deps.redis.stream.destroy()
    return unavailable(cause)
  }

  const flush = async () => {
    const batch = waiting
    waiting = []
    waitingBytes = 0
    if (batch.length === 0) return
    try {
      const answers = await ask<ScriptAnswer[]>(script, argsOf(batch))
      for (const [i, one] of batch.entries()) settle(one, answers[i] as ScriptAnswer, deps.dataSet.given)
    } catch (cause) {
      const error = failed(cause)
      for (const one of batch) one.reject(error)
    } finally {
      for (const one of batch) bytesInFlight -= one.bytes
    }
  }

  const enqueue = (event: IncomingEvent): Promise<Accepted> =>
    new Promise((resolve, reject) => {
      const { rateLimit } = event
      const bytes = event.body.length
      const routes = deps.route(event)
      const eventId = flatUuid()
      const args = scriptEvent(event, eventId, routes)
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ eventId, args, count: routes.length, bytes, rateLimit, resolve, reject })
      waitingBytes += bytes
      bytesInFlight += bytes
      if (waiting.length >= maxEventsPerCall || waitingBytes >= maxBytesPerCall) void flush()
    })

  const acceptNamed = async (event: IncomingEvent, named: NamedReply): Promise<Accepted> => {
    const bytes = event.body.length
    const eventId = flatUuid()
    const args = scriptReply(event, eventId, named, named.deliver ? deps.route(event) : [])
    bytesInFlight += bytes
    try {
      const answer = await ask<NamedAnswer | 'FULL'>(replyScript, args)
      if (answer === 'FULL') throw backlogFull()
      const { first, count, reply } = namedReply(named.awaitId, answer)
      const ns = numbers(first, count, deps.dataSet.given)
      return { eventId, ns, repeated: false, ...(reply && { reply }) }
    } catch (cause) {
      throw failed(cause)
    } finally {
      bytesInFlight -= bytes
    }
  }

  return {
    accept(event) {
      if (!event.operational && isOperational(event.eventType))
        return Promise.reject(new GanchoError('RESERVED_EVENT_TYPE'))
      if (deps.memoryIsShort() || bytesInFlight > maxBytesInFlight) return Promise.reject(backlogFull())
      return event.named ? acceptNamed(event, event.named) : enqueue(event)
    },
  }
}

/** What is left of a rate limit; absent for an event without one. */
type Rest = [] | [remaining: number, fullInMs: number]
type AcceptedAnswer = [
  kind: 'accepted' | 'repeated',
  ...[eventId: string, first: number, count: number, reply: MatchAnswer, ...Rest],
]
/** A number is that of the first job of an event that was accepted as it was sent. */
type ScriptAnswer = number | AcceptedAnswer | ['limited', waitMs: number, ...Rest] | ['conflict'] | ['full']

function settle(one: Waiting, answer: ScriptAnswer, given: (n: number) => void): void {
  if (typeof answer === 'number') {
    const ns = numbers(answer, one.count, given)
    one.resolve({ eventId: one.eventId, ns, repeated: false })
  } else if (answer[0] === 'full') one.reject(backlogFull())
  else if (answer[0] === 'conflict') one.reject(new GanchoError('IDEMPOTENCY_CONFLICT'))
  else if (answer[0] === 'limited') {
    const [, waitMs, ...rest] = answer
    one.reject(rateLimited(stateOf(one.rateLimit as RateLimit, rest), waitMs))
  } else {
    one.resolve(taken(answer, one.rateLimit, given))
  }
}

function taken(answer: AcceptedAnswer, limit: RateLimit | undefined, given: (n: number) => void): Accepted {
  const [kind, eventId, first, count, answered, ...rest] = answer
  const ns = numbers(first, count, given)
  const reply = matchedReply(answered)
  return {
    ...{ eventId, ns, repeated: kind === 'repeated' },
    ...(limit && { rateLimit: stateOf(limit, rest) }),
    ...(reply && { reply }),
  }
}

/** Those of an event's jobs, each told to be given. */
function numbers(first: number, count: number, given: (n: number) => void): number[] {
  const ns: number[] = []
  for (let n = first; n < first + count; n++) {
    given(n)
    ns.push(n)
  }
  return ns
}

function stateOf(limit: RateLimit, [remaining = 0, fullInMs = 0]: Rest): RateLimitState {
  return { ...limit, remaining, fullInMs }
}

const backlogFull = () => new GanchoError('BACKLOG_FULL', undefined, { retryAfterSeconds: 5 })

function unavailable(cause: unknown): GanchoError {
  if (cause instanceof GanchoError) return cause
  return new GanchoError('REDIS_UNAVAILABLE', undefined, { cause, retryAfterSeconds: 1 })
}
