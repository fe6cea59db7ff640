import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'

type Answering = {
  /** Whether the event reports that what was asked for failed. */
  failed: boolean
  /** Whether it is delivered as a job too when it answers something. */
  deliver: boolean
}
/** An awaited reply that an event may be: the one that an upstream's external id names. */
export type ReplyCandidate = Answering & { upstream: string; externalId: string }
/** An awaited reply that is named itself. */
export type NamedReply = Answering & { awaitId: string }

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
  named?: NamedReply
  toldBy?: string | undefined
  body: Buffer
}

/** What the accept scripts look for in an event that may be a reply: `isTold` when they are to tell others of the body, too. */
export function candidatesForScript({ candidates = [], named, toldBy, body }: Asking) {
  if (!named && candidates.length === 0) return undefined
  return {
    ...(named
      ? { named: { id: named.awaitId, failed: named.failed } }
      : { candidates: candidates.map(candidateForScript) }),
    ...(toldBy !== undefined && { toldBy }),
    // Messages are JSON, in which other bytes have no place.
    isTold: toldBy !== undefined && body.length <= mostToldBytes && isUtf8(body),
  }
}

function candidateForScript({ upstream, externalId, failed, deliver }: ReplyCandidate) {
  // Half a character, which the cut may leave, is refused by the script's reader of JSON.
  const shown = externalId.slice(0, shownLength).toWellFormed()
  return { upstream, hash: externalIdHash(externalId), shown, failed, deliver }
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
