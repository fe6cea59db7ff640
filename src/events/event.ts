import type { RateLimit } from '../tenants/limits.ts'
import { isCredential } from './credential-headers.ts'
import type { RateLimitState } from './rate-limit.ts'
import type { MatchedReply, NamedReply, ReplyCandidate } from './reply-candidate.ts'

/** What a sender posted once, checked and ready for intake. */
export type IncomingEvent = {
  cnpj: string
  eventType: string | null
  correlationId: string | null
  /** Null when the sender named none. */
  contentType: string | null
  /** The sender's headers, without credentials. */
  headers: Record<string, string>
  body: Buffer
  idempotencyKey: string | null
  /** Destinations that keep order deliver the events of a tenant that share it one after the other, in the order of acceptance. */
  orderingKey?: string | null
  /** The limit that the tenant's events count against; left out where there is none. */
  rateLimit?: RateLimit | undefined
  /** The body as the JSON check has read it; left out for what is not JSON. */
  json?: unknown
  /** Awaited replies that it may be. */
  candidates?: readonly ReplyCandidate[]
  /** The awaited reply that it is and nothing else: it has no idempotency key and counts against no limit. */
  named?: NamedReply
  /** One that Gancho itself makes: its type may be one of Gancho's. */
  operational?: boolean
  /** Instance that takes it, when the script itself is to tell the others of a reply: it tells its own callers. */
  toldBy?: string | undefined
}

/** An event that is durable: numbered and in Redis. */
export type Accepted = {
  eventId: string
  /** Job numbers, one for each destination. */
  ns: number[]
  /** True when an earlier request with the same idempotency key had made it. */
  repeated: boolean
  /** For an event that counts against a limit, or would if it were not repeated. */
  rateLimit?: RateLimitState
  /** The awaited reply that it is. */
  reply?: MatchedReply
}

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
])

/** The headers of a request that are kept with the job: no credentials (they would be shown to dashboards), nothing about the connection. */
export function keptHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || isCredential(name) || hopByHop.has(name)) continue
    kept[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return kept
}
