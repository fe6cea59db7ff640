import { isUtf8 } from 'node:buffer'
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
  /** Why the script could not tell other instances. */
  untold: string | undefined
}

/** As the accept script answers it. */
export type MatchAnswer =
  | []
  | [awaitId: string, status: MatchedReply['status'], owners?: string, repliedAt?: string, untold?: string]

const shownLength = 200

/** Replies up to this go with the message that tells of them; larger ones are read from their record. */
export const mostToldBytes = 32 * 1024

/** External ids have any form and length: keys carry their hash. */
export const externalIdHash = (externalId: string) => hash('sha256', externalId, 'base64url')

type Asking = {
  candidates?: readonly ReplyCandidate[]
  toldBy?: string | undefined
  body: Buffer
}

export function candidateArguments({ candidates = [], toldBy = '', body }: Asking): ScriptArgument[] {
  if (candidates.length === 0) return [0]
  // Messages are JSON, in which other bytes have no place.
  const isTold = toldBy !== '' && body.length <= mostToldBytes && isUtf8(body)
  const args: ScriptArgument[] = [candidates.length, toldBy, isTold ? '1' : '0']
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

export function matchedReply(answer: MatchAnswer): MatchedReply | undefined {
  const [awaitId, status, owners, repliedAt, untold] = answer
  if (awaitId === undefined || status === undefined) return undefined
  return {
    awaitId,
    status,
    owners: owners ? owners.split(' ') : [],
    repliedAt: Number(repliedAt ?? 0),
    untold,
  }
}
