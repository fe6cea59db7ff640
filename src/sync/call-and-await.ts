import { hash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type { AwaitedReplies, Opened, OpenRequest } from './awaited-replies.ts'
import type { CallFailure, Reply } from './awaited-reply.ts'
import { type Outcome, outcomeOf, type ReplyDesk } from './reply-desk.ts'
import type { Upstream, Upstreams } from './upstream/upstream.ts'
import type { CallUpstream } from './upstream-call.ts'
import type { Waiters } from './waiters.ts'

export type CallRequest = {
  tenant: Tenant
  /** The default one unless named. */
  upstream?: string | undefined
  /** JSON text in UTF-8; undefined: none. */
  body: Buffer | undefined
  /** May shorten the upstream's own deadline. */
  timeoutMs?: number | undefined
  idempotencyKey: string | null
  /** Aborted when the caller is gone. */
  signal?: AbortSignal | undefined
}

export type CallOutcome =
  | { kind: 'replied' | 'reply-failed'; awaitId: string; reply: Reply; elapsedMs: number }
  /** The reply is still to come, and can be read by its id, or by the caller's key, until `expiresAt` (epoch milliseconds). */
  | { kind: 'pending'; awaitId: string; expiresAt: number }
  | { kind: 'upstream-failed'; awaitId: string; failure: CallFailure }
  | { kind: 'too-many'; max: number; retryAfterSeconds: number }

/**
 * Calls an upstream and waits for the webhook that answers. The same idempotency key joins the call under way, or gets its reply.
 * @throws GanchoError UPSTREAM_NOT_CONFIGURED, UPSTREAM_NOT_FOUND, IDEMPOTENCY_CONFLICT, SHUTTING_DOWN or REDIS_UNAVAILABLE
 */
export type CallAndAwait = (request: CallRequest) => Promise<CallOutcome>

type Deps = {
  upstreams: Upstreams
  awaited: AwaitedReplies
  waiters: Waiters<Outcome>
  desk: Pick<ReplyDesk, 'look'>
  call: CallUpstream
  owner: string
  /** Most callers that wait in this process, and most calls that it makes. */
  maxWaiters: number
  isStopping: () => boolean
  log: Pick<Logger, 'warn'>
}

const defaultWaitingReplies = 1_000
export const waitingRepliesOf = ({ settings }: Pick<Tenant, 'settings'>) =>
  settings.limits?.waitingReplies ?? defaultWaitingReplies

/** 128 random bits: whoever guesses ids learns nothing. */
const newAwaitId = () => `aw_${randomBytes(16).toString('base64url')}`

/** What a call may take beyond the upstream's own deadline until it is recorded. */
const recordMs = 10_000
/** A call that fails at its deadline says why, which takes a moment longer. */
const lastWordMs = 250

export function createCallAndAwait(deps: Deps): CallAndAwait {
  const { awaited, waiters, call, maxWaiters } = deps
  // Those who do not wait yet, but will.
  let opening = 0
  const open = async (request: OpenRequest) => {
    opening += 1
    try {
      return await awaited.open(request)
    } finally {
      opening -= 1
    }
  }
  return async (request) => {
    const startedAt = performance.now()
    refuseWhenStopping(deps)
    const upstream = upstreamOf(deps.upstreams, request)
    const timeoutMs = Math.min(request.timeoutMs ?? upstream.timeoutMs, upstream.timeoutMs)
    // A call goes on without its caller, and makes no room for another one before it is over.
    if (Math.max(waiters.count(), call.count()) + opening >= maxWaiters)
      return { kind: 'too-many', max: maxWaiters, retryAfterSeconds: 1 }
    const opened = await open({
      cnpj: request.tenant.cnpj,
      newId: newAwaitId(),
      upstream: upstream.name,
      body: request.body ?? Buffer.alloc(0),
      idempotencyKey: request.idempotencyKey,
      timeoutMs,
      callMs: upstream.timeoutMs + recordMs,
      countsMs: upstream.timeoutMs,
      max: waitingRepliesOf(request.tenant),
    })
    return answer(deps, request, { opened, upstream, timeoutMs, startedAt })
  }
}

function refuseWhenStopping({ isStopping }: Deps): void {
  if (isStopping()) throw new GanchoError('SHUTTING_DOWN', undefined, { retryAfterSeconds: 1 })
}

function upstreamOf(upstreams: Upstreams, { upstream: name, tenant }: CallRequest): Upstream {
  const found = upstreams.get(name)
  if (found?.allows(tenant.cnpj)) return found
  if (name === undefined) throw new GanchoError('UPSTREAM_NOT_CONFIGURED')
  throw new GanchoError('UPSTREAM_NOT_FOUND', `There is no upstream ${name.slice(0, 80)}.`)
}

type Underway = Extract<Opened, { expiresAt: number }>
type Wait = { opened: Opened; upstream: Upstream; timeoutMs: number; startedAt: number }

async function answer(deps: Deps, request: CallRequest, wait: Wait): Promise<CallOutcome> {
  const { opened, startedAt } = wait
  switch (opened.kind) {
    case 'conflict':
      throw new GanchoError('IDEMPOTENCY_CONFLICT')
    case 'full': {
      const retryAfterSeconds = Math.max(1, Math.ceil(opened.retryAfterMs / 1_000))
      return { kind: 'too-many', max: waitingRepliesOf(request.tenant), retryAfterSeconds }
    }
    case 'finished':
      return told(opened.id, outcomeOf(await deps.awaited.read(opened.id)) ?? { kind: 'lost' }, startedAt)
    default:
      return waitFor(deps, request, { ...wait, opened })
  }
}

async function waitFor(
  deps: Deps,
  request: CallRequest,
  { opened, upstream, timeoutMs, startedAt }: Wait & { opened: Underway },
): Promise<CallOutcome> {
  const { id, expiresAt } = opened
  const { cnpj } = request.tenant
  // Nothing is called yet, and who waits from here on would not be told.
  refuseWhenStopping(deps)
  // Before the call: its reply may be here at once.
  const waiting = deps.waiters.wait(id, timeoutMs - (performance.now() - startedAt), request.signal)
  // A reply that came after the join was recorded, and was told here before anybody waited for it.
  if (opened.kind === 'joined') void lookAgain(deps, id)
  const mine = opened.kind === 'call' || isForgotten(deps, opened)
  const call = mine
    ? deps.call({
        id,
        cnpj,
        upstream,
        expiresAt,
        body: request.body,
        idempotencyKey: outboundKey(id, upstream, request),
      })
    : undefined
  const ended = await waiting
  if (ended.kind === 'settled') return told(id, ended.outcome, startedAt)
  if (ended.kind !== 'deadline') return { kind: 'pending', awaitId: id, expiresAt }
  if (call && timeoutMs >= upstream.timeoutMs) await Promise.race([call, sleep(lastWordMs)])
  return atDeadline(deps, { cnpj, id }, expiresAt, startedAt)
}

async function lookAgain({ desk, log }: Deps, id: string): Promise<void> {
  await desk.look(id).catch((err) => log.warn({ err, awaitId: id }, 'a joined call could not be read yet'))
}

/** The answer to the call's opening was lost on its way here: it counts as being called by this instance, and nobody does. */
const isForgotten = ({ owner, call }: Deps, opened: Opened) =>
  opened.kind === 'joined' && opened.calling === owner && !call.isUnderWay(opened.id)

/** The same whoever calls again, and also after Redis lost the record of the first call. */
function outboundKey(id: string, { name }: Upstream, { idempotencyKey, tenant }: CallRequest): string {
  if (idempotencyKey === null) return id
  return `gk_${hash('sha256', `${tenant.cnpj}\n${name}\n${idempotencyKey}`, 'base64url')}`
}

/** The last look. A caller whose Redis is away has its id all the same. */
async function atDeadline(
  { awaited, log }: Deps,
  at: { cnpj: string; id: string },
  expiresAt: number,
  startedAt: number,
): Promise<CallOutcome> {
  const awaitId = at.id
  try {
    const last = await awaited.deadline(at)
    if (last.kind === 'pending') return { kind: 'pending', awaitId, expiresAt: last.expiresAt }
    const outcome = last.kind === 'gone' ? undefined : outcomeOf(await awaited.read(awaitId))
    return told(awaitId, outcome ?? { kind: 'lost' }, startedAt)
  } catch (err) {
    if (err instanceof GanchoError) throw err
    log.warn({ err, awaitId }, 'no last look for a reply at its deadline')
    return { kind: 'pending', awaitId, expiresAt }
  }
}

function told(awaitId: string, outcome: Outcome, startedAt: number): CallOutcome {
  if (outcome.kind === 'call-failed') return { kind: 'upstream-failed', awaitId, failure: outcome.failure }
  if (outcome.kind === 'lost') {
    const details = { awaitId }
    throw new GanchoError('REDIS_UNAVAILABLE', 'The call was lost together with its Redis data.', { details })
  }
  const { reply } = outcome
  const elapsedMs = Math.round(performance.now() - startedAt)
  return { kind: reply.failed ? 'reply-failed' : 'replied', awaitId, reply, elapsedMs }
}
