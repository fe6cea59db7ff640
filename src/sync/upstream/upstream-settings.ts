/** How one upstream is called and its replies are recognised. */
export type UpstreamSettings = {
  name: string
  /** Scheme, host and port. */
  origin: string
  apiKey: string
  /** Where the API key is exchanged for an access token; null: the key itself is sent as the Bearer token. */
  tokenPath: string | null
  requestPath: string
  /** JSON pointer into its answer to the external id. */
  idPointer: string
  /** JSON pointer into a webhook's body to the external id. */
  replyIdPointer: string
  /** JSON pointer into a webhook's body: present and truthy, the reply is a failure. */
  errorPointer: string | undefined
  timeoutMs: number
  deliverReplies: boolean
  /** Name of the header that tells the callback URL; null: it is not told. */
  callbackHeader: string | null
  /** CNPJs of the tenants that may call it; undefined: every one. */
  tenants: readonly string[] | undefined
}

export const defaultUpstream = 'default'
export const maxUpstreams = 20
export const defaultCallbackHeader = 'X-Callback-Url'
