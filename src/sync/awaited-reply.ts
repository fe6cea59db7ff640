/** What became of one call to an upstream. EXPIRED: no reply came before the deadline; a late one may still come. */
export const awaitStatuses = ['PENDING', 'REPLIED', 'LATE', 'FAILED', 'EXPIRED'] as const
export type AwaitStatus = (typeof awaitStatuses)[number]

/** The webhook that answered, byte for byte. */
export type Reply = {
  body: Buffer
  contentType: string | null
  /** Number of its (first) job; null when it was not delivered. */
  n: number | null
  /** Whether it reports that what was asked for failed. */
  failed: boolean
  repliedAt: number
}

/** Why the upstream could not be called, or did not take the call. */
export type CallFailure = { code: string; status: number | null; message: string }

/** One call to an upstream, and the webhook that answers it. Times are epoch milliseconds, by Redis' clock. */
export type AwaitedReply = {
  id: string
  cnpj: string
  upstream: string
  status: AwaitStatus
  externalId: string | null
  createdAt: number
  /** Until when a caller waits. */
  deadline: number
  /** Until when it can be read. */
  expiresAt: number
  reply: Reply | null
  /** Replies after the first. */
  duplicates: number
  failure: CallFailure | null
}

const statusOf = (stored: string, deadline: number, now: number): AwaitStatus => {
  if (stored === 'REPLIED' || stored === 'LATE') return stored
  if (stored === 'REPLY_FAILED' || stored === 'CALL_FAILED') return 'FAILED'
  return now > deadline ? 'EXPIRED' : 'PENDING'
}

/** Reads a record (`HGETALL` as Buffers). `now`: by Redis' clock. */
export function awaitedReplyOf(id: string, fields: Record<string, Buffer>, now: number): AwaitedReply {
  const text = (name: string) => fields[name]?.toString() ?? ''
  const deadline = Number(text('deadline'))
  return {
    id,
    cnpj: text('cnpj'),
    upstream: text('upstream'),
    status: statusOf(text('status'), deadline, now),
    externalId: text('externalId') || null,
    createdAt: Number(text('createdAt')),
    deadline,
    expiresAt: Number(text('expiresAt')),
    reply: replyOf(fields, text),
    duplicates: Number(text('duplicates')),
    failure:
      text('status') === 'CALL_FAILED'
        ? {
            code: text('code'),
            status: text('upstreamStatus') ? Number(text('upstreamStatus')) : null,
            message: text('message'),
          }
        : null,
  }
}

function replyOf(fields: Record<string, Buffer>, text: (name: string) => string): Reply | null {
  if (!fields.payload) return null
  return {
    body: fields.payload,
    contentType: text('contentType') || null,
    n: Number(text('n')) || null,
    failed: text('status') === 'REPLY_FAILED',
    repliedAt: Number(text('repliedAt')),
  }
}
