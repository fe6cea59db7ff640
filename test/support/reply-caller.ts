import { askWhile, clientOf } from './client.ts'
import { type Fate, lateTimeoutMs } from './reply-fates.ts'

/** What a caller was told. `unanswered`: its connection broke. */
export type CallerAnswer =
  | { kind: 'replied'; awaitId: string; payload: unknown }
  | { kind: 'pending'; awaitId: string }
  | { kind: 'unanswered' }
  | { kind: 'refused'; text: string }

/** A call as a reader sees it. */
export type ShownReply = {
  id: string
  status: string
  payload: unknown
  externalId: string | null
  duplicates: number
}

type Gateway = { origin: string }

const Call = `mutation ($input: CallAndAwaitInput!) { callAndAwait(input: $input) { __typename
  ... on ReplyReceived { awaitId payload } ... on ReplyPending { awaitId } ... on UpstreamFailed { code } } }`
const Read = `query ($id: ID, $key: String) { awaitedReply(id: $id, idempotencyKey: $key) {
  id status payload externalId duplicates } }`

export const keyOf = ({ mark }: Fate) => `key-${mark}`

/**
 * Calls by the edge that the fate says, and tells what the caller got. While Redis is slower than the gateway waits for it, the caller
 * asks again with its key.
 */
export async function callAs(fate: Fate, at: Gateway, token: string): Promise<CallerAnswer> {
  const call = fate.edge === 'rest' ? callByRest : callByGraphql
  try {
    return await askWhile(isWithoutRedis, () => call(fate, at, token))
  } catch (error) {
    // What fetch throws when there is no answer.
    if (error instanceof TypeError) return { kind: 'unanswered' }
    throw error
  }
}

const isWithoutRedis = (answer: CallerAnswer) =>
  answer.kind === 'refused' && answer.text.includes('REDIS_UNAVAILABLE')

async function callByGraphql(fate: Fate, at: Gateway, token: string): Promise<CallerAnswer> {
  type Called = { __typename: string; awaitId: string; payload?: unknown }
  const isLate = fate.timing === 'late'
  const input = {
    ...{ body: { mark: fate.mark }, idempotencyKey: keyOf(fate) },
    ...(isLate && { timeoutMs: lateTimeoutMs }),
  }
  const { body } = await clientOf(at, token).call('POST', '/graphql', { query: Call, variables: { input } })
  if (body.errors) return { kind: 'refused', text: JSON.stringify(body.errors) }
  const { callAndAwait } = body.data as { callAndAwait: Called }
  const { __typename, awaitId, payload } = callAndAwait
  if (__typename === 'ReplyReceived') return { kind: 'replied', awaitId, payload }
  if (__typename === 'ReplyPending') return { kind: 'pending', awaitId }
  return { kind: 'refused', text: JSON.stringify(callAndAwait) }
}

async function callByRest(fate: Fate, at: Gateway, token: string): Promise<CallerAnswer> {
  const headers = { 'idempotency-key': keyOf(fate) }
  const answered = await clientOf(at, token).call('POST', '/new-qrcode', { mark: fate.mark }, headers)
  const { status, body } = answered
  const awaitId = answered.headers.get('x-gancho-await-id') ?? ''
  if (status === 200) return { kind: 'replied', awaitId, payload: body }
  if (status === 504) return { kind: 'pending', awaitId: String(body.awaitId) }
  return { kind: 'refused', text: `${status} ${JSON.stringify(body)}` }
}

/** Null when there is none. */
export async function readReply(at: Gateway, token: string, by: { id?: string; key?: string }) {
  const found = await clientOf(at, token).graphql<{ awaitedReply: ShownReply | null }>(Read, by)
  return found.awaitedReply
}
