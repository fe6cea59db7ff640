import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AwaitedReplies } from './awaited-replies.ts'
import type { CallFailure } from './awaited-reply.ts'
import type { Capabilities } from './capability.ts'
import type { ReplyDesk } from './reply-desk.ts'
import type { Upstream } from './upstream/upstream.ts'

export type Call = {
  id: string
  cnpj: string
  upstream: Upstream
  body: Buffer | undefined
  /** Sent to the upstream. */
  idempotencyKey: string
  /** Until when the reply is taken. */
  expiresAt: number
}

/** Calls the upstream and records what it said. Goes on without its caller; resolves when that is done, and never throws. */
export type CallUpstream = {
  (call: Call): Promise<void>
  isUnderWay(id: string): boolean
  /** Calls under way. */
  count(): number
  /** Resolves when no call is under way any more. */
  idle(): Promise<void>
}

type Deps = {
  awaited: Pick<AwaitedReplies, 'bind' | 'fail'>
  desk: Pick<ReplyDesk, 'announce'>
  capabilities: Pick<Capabilities, 'seal'>
  /** Base of callback URLs, without a slash at its end. */
  publicUrl: () => string
  log: Pick<Logger, 'warn' | 'error'>
}

/** For how long the outcome of a call is tried to be recorded while Redis is away. */
const recordWithinMs = 10_000
const pauseMs = 200

export function createCallUpstream(deps: Deps): CallUpstream {
  const underWay = new Map<string, Promise<void>>()
  const call = (request: Call): Promise<void> => {
    const { id } = request
    const done = callAndRecord(deps, request)
      .catch((err) => deps.log.error({ err, awaitId: id }, 'the outcome of a call could not be recorded'))
      .finally(() => underWay.delete(id))
    underWay.set(id, done)
    return done
  }
  return Object.assign(call, {
    isUnderWay: (id: string) => underWay.has(id),
    count: () => underWay.size,
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay.values())
    },
  })
}

async function callAndRecord(deps: Deps, request: Call): Promise<void> {
  const { id, cnpj, upstream, body, idempotencyKey, expiresAt } = request
  const capability = deps.capabilities.seal({ awaitId: id, cnpj, upstream: upstream.name, expiresAt })
  // Its own deadline bounds it: a caller who waits a shorter time gets a handle, and the call goes on.
  const { signal } = new AbortController()
  const callbackUrl = `${deps.publicUrl()}/callback/${capability}`
  const answer = await upstream.call({ body, idempotencyKey, callbackUrl, signal })
  if (answer.kind === 'accepted') await bind(deps, request, answer.externalId)
  else await fail(deps, request, answer)
}

async function bind(deps: Deps, { id, cnpj, upstream }: Call, externalId: string): Promise<void> {
  const at = { cnpj, id, upstream: upstream.name }
  const bound = await recorded(() => deps.awaited.bind(at, externalId))
  if (bound.kind === 'replied') await deps.desk.announce(at, bound.owners, null)
  if (bound.kind === 'gone') await deps.desk.announce(at, [], null)
  if (bound.kind !== 'taken') return
  deps.log.warn({ awaitId: id, upstream: upstream.name }, 'an upstream gave the id of another call')
  const message = `Upstream ${upstream.name} answered with an id that is another call's.`
  await fail(deps, { id, cnpj }, { code: 'UPSTREAM_ID_TAKEN', status: null, message, maybeSent: true })
}

async function fail(
  { awaited, desk }: Deps,
  at: { id: string; cnpj: string },
  failure: CallFailure & { maybeSent: boolean },
): Promise<void> {
  const answer = await recorded(() => awaited.fail(at, failure))
  if (answer.kind === 'failed' || answer.kind === 'replied') await desk.announce(at, answer.owners, null)
  if (answer.kind === 'gone') await desk.announce(at, [], null)
}

/** Repeats a step, which may be repeated, while Redis is away. */
async function recorded<Answer>(step: () => Promise<Answer>): Promise<Answer> {
  const until = performance.now() + recordWithinMs
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(pauseMs)
    }
  }
}
