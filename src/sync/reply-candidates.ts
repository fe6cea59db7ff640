import type { IncomingEvent } from '../events/event.ts'
import type { ReplyCandidate } from '../events/reply-candidate.ts'
import { externalIdIn } from './upstream/external-id.ts'
import { valueAt } from './upstream/json-pointer.ts'
import type { Upstream } from './upstream/upstream.ts'

/**
 * What an event may answer: for each upstream, the call whose external id is its `X-Correlation-Id`, or stands in its JSON body where
 * that upstream's replies have it. The correlation ids come first: who sends one means it.
 */
export function replyCandidates(
  upstreams: readonly Upstream[],
  { cnpj, correlationId, body, json }: Pick<IncomingEvent, 'cnpj' | 'correlationId' | 'body' | 'json'>,
): ReplyCandidate[] {
  const candidates: ReplyCandidate[] = []
  if (correlationId !== null)
    for (const upstream of upstreams)
      if (upstream.allows(cnpj)) candidates.push(candidateOf(upstream, correlationId, json))
  if (json === undefined) return candidates
  for (const upstream of upstreams) {
    const externalId = externalIdAt(upstream.replyIdPointer, json, body)
    if (externalId !== undefined && externalId !== correlationId && upstream.allows(cnpj))
      candidates.push(candidateOf(upstream, externalId, json))
  }
  return candidates
}

/** Whether a JSON body reports that what was asked of the upstream failed. */
export const reportsFailure = ({ errorPointer }: Pick<Upstream, 'errorPointer'>, json: unknown) =>
  errorPointer !== undefined && json !== undefined && Boolean(valueAt(json, errorPointer))

function candidateOf(upstream: Upstream, externalId: string, json: unknown): ReplyCandidate {
  const failed = reportsFailure(upstream, json)
  return { upstream: upstream.name, externalId, failed, deliver: upstream.deliverReplies }
}

/** Large bodies are made text only for what a number has lost in parsing. */
function externalIdAt(pointer: string, json: unknown, body: Buffer): string | undefined {
  const value = valueAt(json, pointer)
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const isRounded = typeof value === 'number' && !Number.isSafeInteger(value)
  return externalIdIn(isRounded ? body.toString('utf8') : '', pointer, json)
}
