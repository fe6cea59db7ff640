import { hash } from 'node:crypto'
import type { ScriptArgument } from '../redis/scripts.ts'

/** An awaited reply that an event may be: the one that an upstream's external id names, or one that is named itself. */
export type ReplyCandidate = ({ upstream: string; externalId: string } | { awaitId: string }) & {
  /** Whether the event reports that what was asked for failed. */
  failed: boolean
  /** Whether it is delivered as a job too when it answers something. */
  deliver: boolean
}

/** What became of the awaited reply that an event was found to be. */
export type MatchedReply = {
  awaitId: string
  /** DUPLICATE: another event had answered before. */
  status: 'REPLIED' | 'LATE' | 'REPLY_FAILED' | 'DUPLICATE'
  /** Instances whose callers wait for it. */
  owners: string[]
  /** Epoch milliseconds. */
  repliedAt: number
}

/** As the accept script answers it. */
export type MatchAnswer =
  | []
  | [awaitId: string, status: MatchedReply['status'], owners?: string, repliedAt?: string]

const shownLength = 200

/** External ids have any form and length: keys carry their hash. */
export const externalIdHash = (externalId: string) => hash('sha256', externalId, 'base64url')

export function candidateArguments(candidates: readonly ReplyCandidate[] = []): ScriptArgument[] {
  const args: ScriptArgument[] = [candidates.length]
  for (const candidate of candidates) {
    const [upstream, named, shown] =
      'awaitId' in candidate
        ? ['', candidate.awaitId, '']
        : [
            candidate.upstream,
            externalIdHash(candidate.externalId),
            candidate.externalId.slice(0, shownLength),
          ]
    args.push(upstream, named, candidate.failed ? '1' : '0', candidate.deliver ? '1' : '0', shown)
  }
  return args
}

export function matchedReply([awaitId, status, owners, repliedAt]: MatchAnswer): MatchedReply | undefined {
  if (awaitId === undefined || status === undefined) return undefined
  return { awaitId, status, owners: owners ? owners.split(' ') : [], repliedAt: Number(repliedAt ?? 0) }
}
