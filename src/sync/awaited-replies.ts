import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { externalIdHash } from '../events/reply-candidate.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { type AwaitedReply, awaitedReplyOf, type CallFailure } from './awaited-reply.ts'

export type OpenRequest = {
  cnpj: string
  /** Taken unless the call joins another. */
  newId: string
  upstream: string
  /** Bytes that are called with. */
  body: Buffer
  idempotencyKey: string | null
  timeoutMs: number
  /** How long the call of the upstream may take; after that, whoever repeats it calls again. */
  callMs: number
  /** How long it counts as waited for, though its caller may wait for less, unless the upstream answers before. */
  countsMs: number
  /** Most replies that this tenant waits for at a time. */
  max: number
}

export type Opened =
  /** `by`: `new`, or `take-over` of a call whose caller is gone, or that failed. The upstream is to be called. */
  | { kind: 'call'; id: string; expiresAt: number; by: 'new' | 'take-over' }
  /** `calling`: the owner that calls the upstream now; undefined when its external id is known. */
  | { kind: 'joined'; id: string; expiresAt: number; calling: string | undefined }
  | { kind: 'finished'; id: string }
  | { kind: 'conflict' }
  | { kind: 'full'; retryAfterMs: number }

/** `replied`: the reply is there, and these instances have callers who wait for it. */
export type Bound =
  | { kind: 'bound' }
  | { kind: 'replied'; owners: string[] }
  | { kind: 'taken' }
  | { kind: 'gone' }
export type CallFailed =
  | { kind: 'failed'; owners: string[] }
  | { kind: 'replied'; owners: string[] }
  | { kind: 'bound' }
  | { kind: 'gone' }
export type AtDeadline = { kind: 'pending'; expiresAt: number } | { kind: 'finished' } | { kind: 'gone' }

/** An event that looked like a reply, and answered nothing. */
export type Stray = { upstream: string; externalId: string; eventId: string; n: number | null; at: number }

/**
 * Awaited replies in Redis. Each step is one atomic script, so that no crash leaves half of one; the reply itself is recorded by the
 * accept script, together with the event. Everything throws what ioredis throws.
 */
export type AwaitedReplies = {
  open(request: OpenRequest): Promise<Opened>
  bind(at: { cnpj: string; id: string; upstream: string }, externalId: string): Promise<Bound>
  fail(at: { cnpj: string; id: string }, failure: CallFailure & { maybeSent: boolean }): Promise<CallFailed>
  deadline(at: { cnpj: string; id: string }): Promise<AtDeadline>
  read(id: string): Promise<AwaitedReply | null>
  findByKey(cnpj: string, idempotencyKey: string): Promise<AwaitedReply | null>
  /** Which of these have an end by now: a reply, a failed call, or no record any more. One command. */
  ended(ids: readonly string[]): Promise<string[]>
  /** How many replies a tenant waits for now. */
  waiting(cnpj: string): Promise<number>
  strays(cnpj: string): Promise<{ count: number; last: Stray[] }>
}

type Options = {
  redis: Redis
  /** Name of this instance, unique among processes. */
  owner: string
  /** How long a record is kept after its deadline or its reply. */
  ttlMs: number
}

export function createAwaitedReplies({ redis, owner, ttlMs }: Options): AwaitedReplies {
  const open = loadScript(redis, 'await-open')
  const bind = loadScript(redis, 'await-bind')
  const fail = loadScript(redis, 'await-fail')
  const deadline = loadScript(redis, 'await-deadline')
  const ended = loadScript(redis, 'await-ended')
  const strays = loadScript(redis, 'await-strays')
  const prefix = keys.awaitPrefix
  const read = async (id: string) => {
    const found = await redis.multi().time().hgetallBuffer(keys.await(id)).exec()
    const [[, time], [, fields]] = found as [[null, number[]], [null, Record<string, Buffer>]]
    return fields.cnpj ? awaitedReplyOf(id, fields, msOf(time)) : null
  }
  return {
    read,
    async open({ cnpj, newId, upstream, body, idempotencyKey, timeoutMs, callMs, countsMs, max }) {
      const key = idempotencyKey === null ? '' : keyHash(idempotencyKey)
      const call = callHash(upstream, body)
      const head = [prefix, cnpj, newId, upstream, owner, timeoutMs, ttlMs]
      return openedOf(await open([keys.awaitCounts(cnpj)], [...head, max, key, call, callMs, countsMs]))
    },
    async bind({ cnpj, id, upstream }, externalId) {
      const args = [prefix, cnpj, id, upstream, externalIdHash(externalId), externalId]
      return boundOf(await bind([keys.awaitCounts(cnpj)], args))
    },
    async fail({ cnpj, id }, { code, status, message, maybeSent }) {
      const args = [prefix, cnpj, id, code, status ?? '', message, maybeSent ? '1' : '0', owner]
      return failedOf(await fail([keys.awaitCounts(cnpj)], args))
    },
    async deadline({ cnpj, id }) {
      const [kind, expiresAt] = (await deadline([keys.awaitCounts(cnpj)], [prefix, cnpj, id])) as string[]
      return { kind, expiresAt: Number(expiresAt) } as AtDeadline
    },
    async findByKey(cnpj, idempotencyKey) {
      const id = await redis.get(keys.awaitKey(cnpj, keyHash(idempotencyKey)))
      return id === null ? null : read(id)
    },
    ended: async (ids) => (await ended([keys.awaitOwner(owner)], [prefix, ...ids])) as string[],
    async waiting(cnpj) {
      const now = msOf(await redis.time())
      return redis.zcount(keys.awaitOpen(cnpj), now, '+inf')
    },
    async strays(cnpj) {
      const [count, last] = (await strays([keys.awaitCounts(cnpj)], [prefix, cnpj])) as [string, string[]]
      // One that was kept for a while to be claimed is noted later than it came.
      return { count: Number(count), last: last.map(strayOf).toSorted((a, b) => b.at - a.at) }
    },
  }
}

/** Seconds and microseconds, as Redis tells its time. */
const msOf = ([seconds = 0, microseconds = 0]: readonly (number | string)[]) =>
  Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000)

const keyHash = (key: string) => hash('sha256', key, 'base64url')
const callHash = (upstream: string, body: Buffer) =>
  hash('sha256', Buffer.concat([Buffer.from(`${upstream}\n`), body]), 'base64url')

function openedOf(answer: unknown): Opened {
  const [kind, id = '', expiresAt, status, caller] = answer as string[]
  switch (kind) {
    case 'new':
    case 'take-over':
      return { kind: 'call', id, expiresAt: Number(expiresAt), by: kind }
    case 'joined':
      return {
        ...{ kind, id, expiresAt: Number(expiresAt) },
        calling: status === 'OPEN' ? caller : undefined,
      }
    case 'finished':
      return { kind, id }
    case 'full':
      return { kind, retryAfterMs: Number(id) }
    default:
      return { kind: 'conflict' }
  }
}

const ownersOf = (text = '') => (text === '' ? [] : text.split(' '))

function boundOf(answer: unknown): Bound {
  const [kind, , owners] = answer as string[]
  return kind === 'replied' ? { kind, owners: ownersOf(owners) } : ({ kind } as Bound)
}

function failedOf(answer: unknown): CallFailed {
  const [kind, first, second] = answer as string[]
  if (kind === 'failed') return { kind, owners: ownersOf(first) }
  return kind === 'replied' ? { kind, owners: ownersOf(second) } : ({ kind } as CallFailed)
}

function strayOf(text: string): Stray {
  const stray = JSON.parse(text) as Omit<Stray, 'n' | 'at'> & Record<'n' | 'at', string>
  return { ...stray, n: Number(stray.n) || null, at: Number(stray.at) }
}
