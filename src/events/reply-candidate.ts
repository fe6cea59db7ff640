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

type Asking = { candidates?: readonly ReplyCandidate[]; toldBy?: string | undefined; body: Buffer }

/** Whether the accept scripts, which tell others of a reply, tell them its body too. Messages are JSON, in which other bytes have no place. */
export const isTold = ({ toldBy, body }: Asking) =>
  toldBy !== undefined && body.length <= mostToldBytes && isUtf8(body)

/** What the accept script looks for in an event that may be a reply. */
export function candidatesForScript(event: Asking) {
  const { candidates = [], toldBy } = event
  if (candidates.length === 0) return undefined
  return {
    candidates: candidates.map(candidateForScript),
    ...(toldBy !== undefined && { toldBy }),
    isTold: isTold(event),
  }
}

function candidateForScript({ upstream, externalId, failed, deliver }: ReplyCandidate) {
  // Half a character, which the cut may leave, is refused by the script's reader of JSON.
  const shown = externalId.slice(0, shownLength).toWellFormed()
  return { upstream, hash: externalIdHash(externalId), shown, failed, deliver }
}

/** As the script of replies that name what they answer tells it, see accept-reply.lua. */
export type NamedAnswer = string | [answer: string, untold: string]

export function namedReply(
  awaitId: string,
  answer: NamedAnswer,
): { first: number; count: number; reply?: MatchedReply } {
  const [text, untold] = typeof answer === 'string' ? [answer] : answer
  if (text === '') return { first: 0, count: 0 }
  const [status, first = 0, count = 0, repliedAt = 0, ...owners] = text.split(' ')
  const reply = {
    awaitId,
    status: status as MatchedReply['status'],
    owners,
    repliedAt: Number(repliedAt),
    untold,
  }
  return { first: Number(first), count: Number(count), reply }
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
