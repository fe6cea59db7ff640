/** How Gancho shows a destination who it is. For memory alone, as everything that holds it. */
export type DestinationAuth =
  | { kind: 'none' }
  | { kind: 'basic'; username: string; password: string }
  | { kind: 'bearer'; token: string }
  /** A header of the receiver's own, such as `x-api-key`; its name in lower case. */
  | { kind: 'header'; name: string; value: string }

/** `whsec_` and base64 (Standard Webhooks 1.0.0, "Signature scheme"). Requests are signed with each that has not ended. */
export type SigningSecret = {
  secret: string
  /** Epoch milliseconds; null for the newest, which stays until it is replaced. */
  endsAt: number | null
}

/** Of a destination that says nothing else; as in flow.lua. */
export const defaultMaxConcurrency = 10

/** What is known of a destination without what must never be shown. Times are epoch milliseconds. */
export type DestinationSettings = {
  /** Part of the `webhook-id` that receivers see, so it stays the same as long as the destination lives and has no full stop. */
  id: string
  /** The tenant it belongs to; null for a default of all tenants that have none of their own. */
  cnpj: string | null
  name: string
  url: string
  /** The lane whose worker delivers to it. */
  queue: string
  /** While not, it is given no new jobs, and those that wait for it are held. */
  active: boolean
  /** Exact types, or prefixes such as `invoice.*`. Empty: every event, also one without a type. */
  eventTypes: readonly string[]
  /** JSONPath (RFC 9535): takes events in whose JSON body it finds something. Null: every event. */
  filter: string | null
  /** Upper bounds of the delays between attempts; null: those of the environment. */
  retryScheduleSeconds: readonly number[] | null
  /** No round is given up as exhausted sooner than this after its first attempt; null: as the environment says. */
  retryForSeconds: number | null
  /** Statuses that end a round at once; null: those of the environment. */
  finalStatuses: readonly number[] | null
  /** Deadline of a whole attempt, from the connection to the last byte of the answer; null: that of the environment. */
  timeoutMs: number | null
  /** Attempts under way at the same time, over all workers. */
  maxConcurrency: number
  ratePerSecond: number | null
  /** Hours in which it is delivered to, as an access window is written. */
  deliveryWindow: string | null
  /** Whether jobs that share an ordering key go one after the other. */
  fifo: boolean
  /** For how long a job that fails holds up those behind it; null: as the environment says. */
  fifoBlockSeconds: number | null
  /** Time after its acceptance at which a job that is not delivered is given up; null: never. */
  jobDeadlineSeconds: number | null
  /** When Gancho itself put it out of service, such as after a 410; null while it did not. */
  disabledAt: number | null
  disabledReason: string | null
  createdAt: number
  updatedAt: number
  /** Counts its changes, from 1. */
  version: number
}

/** What is kept encrypted, because each of it may let somebody in. */
export type DestinationSecrets = {
  /** Sent with every attempt, below the headers that Gancho itself sets. Names in lower case. */
  headers: Readonly<Record<string, string>>
  auth: DestinationAuth
  /** Newest first; empty only for the environment's destination, whose requests are not signed. */
  signingSecrets: readonly SigningSecret[]
}

/** Where jobs go, with its secrets in the clear. */
export type Destination = DestinationSettings & DestinationSecrets

/** As it is stored: `secrets` is the JSON of DestinationSecrets with the destination's id, under the token cipher. */
export type StoredDestination = DestinationSettings & { secrets: string }
