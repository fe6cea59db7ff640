/** The asynchronous API that a `callAndAwait` calls, as the correlator sees it. */
export type Upstream = {
  name: string
  /** Deadline of the whole wait in milliseconds. A caller's own `timeoutMs` may only shorten it. */
  timeoutMs: number
  /** JSON pointer into a webhook's body to the external id that it answers. */
  replyIdPointer: string
  /** JSON pointer into a webhook's body: present and truthy, the reply is a failure. */
  errorPointer: string | undefined
  /** Whether the webhook that answers is delivered as a job too. */
  deliverReplies: boolean
  /** Whether the tenant with this CNPJ may call it. To one that may not, it does not exist. */
  allows(cnpj: string): boolean
  /** Calls it once. Never throws: what went wrong is a value. */
  call(request: UpstreamRequest): Promise<UpstreamAnswer>
}

export type UpstreamRequest = {
  /** JSON text in UTF-8, sent as it is; undefined: none. */
  body: Buffer | undefined
  /** The same for every repeat of the same call, from whichever instance. */
  idempotencyKey: string
  /** Capability URL that takes the reply: secret, not to be logged. */
  callbackUrl: string
  signal: AbortSignal
}

export type UpstreamFailure = {
  kind: 'failed'
  code: UpstreamFailureCode
  /** HTTP status of the upstream, `null` when it gave none. */
  status: number | null
  message: string
  /** Whether the upstream may have taken the call nevertheless, so that its webhook may still come. */
  maybeSent: boolean
}

export type UpstreamFailureCode =
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_ERROR'
  | 'UPSTREAM_UNREADABLE'
  | 'UPSTREAM_NO_ID'
  | 'UPSTREAM_TIMEOUT'
  | 'UPSTREAM_UNREACHABLE'
  /** The breaker is open: it was not called. */
  | 'UPSTREAM_UNAVAILABLE'

export type UpstreamAnswer = { kind: 'accepted'; externalId: string; body: unknown } | UpstreamFailure

export type Upstreams = {
  /** @param name without it, the default one */
  get(name?: string): Upstream | undefined
  all(): readonly Upstream[]
}
