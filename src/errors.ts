/** Every error code that callers can see, with the HTTP status that REST answers and the message used unless one is given. */
const catalogue = {
  BAD_REQUEST: [400, 'The request is not valid.'],
  GRAPHQL_PARSE_FAILED: [400, 'The document is not GraphQL.'],
  GRAPHQL_VALIDATION_FAILED: [400, 'The document does not fit the schema.'],
  OPERATION_RESOLUTION_FAILURE: [400, 'The document has no such operation.'],
  DOCUMENT_TOO_COMPLEX: [400, 'The document asks for too much.'],
  INVALID_JSON: [400, 'The body is not valid JSON.'],
  INVALID_CNPJ: [400, 'This is not a valid CNPJ.'],
  DESTINATION_NOT_ALLOWED: [400, 'A destination may not be at this address.'],
  INVALID_PREVIEW: [400, 'This is not the token of a preview of yours.'],
  RESERVED_EVENT_TYPE: [400, 'Event types that begin with gancho. are of Gancho alone.'],
  INVALID_CURSOR: [400, 'This is not a cursor of the journal.'],
  UNAUTHENTICATED: [401, 'A valid Bearer token is needed.'],
  INVALID_SIGNATURE: [401, 'The signature is missing, wrong or too old.'],
  FORBIDDEN: [403, 'This token does not allow that.'],
  DOCUMENT_NOT_ALLOWED: [403, 'This document is not among those that tenants may send.'],
  INTROSPECTION_OFF: [403, 'This instance does not tell its schema; schema.graphql of the project has it.'],
  OUTSIDE_ACCESS_WINDOW: [403, 'This token is not honoured at this hour.'],
  ORIGIN_NOT_ALLOWED: [403, 'Pages of this origin may not use this address.'],
  ADDRESS_NOT_ALLOWED: [403, 'This token is not honoured from this address.'],
  TENANT_INACTIVE: [403, 'This tenant is not active.'],
  NOT_FOUND: [404, 'There is nothing here.'],
  // Clients look for this message (Apollo, automatic persisted queries).
  PERSISTED_QUERY_NOT_FOUND: [404, 'PersistedQueryNotFound'],
  JOB_NOT_FOUND: [404, 'There is no such job.'],
  QUEUE_NOT_FOUND: [404, 'There is no such queue.'],
  TENANT_NOT_FOUND: [404, 'There is no such tenant.'],
  TOKEN_NOT_FOUND: [404, 'This tenant has no such token.'],
  SOURCE_NOT_FOUND: [404, 'There is no such source.'],
  DESTINATION_NOT_FOUND: [404, 'There is no such destination.'],
  UPSTREAM_NOT_FOUND: [404, 'There is no such upstream.'],
  BULK_NOT_FOUND: [404, 'There is no such bulk.'],
  METHOD_NOT_ALLOWED: [405, 'This address does not take that method.'],
  NOT_ACCEPTABLE: [406, 'The answer has no form that the Accept header allows.'],
  SLOW_CONSUMER: [408, 'What was sent was not read in time; resume from the last cursor.'],
  REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
  TENANT_EXISTS: [409, 'A tenant with this CNPJ exists already.'],
  TENANT_CHANGED: [409, 'Others change this tenant at the same moment; try again.'],
  JOB_STATE_CONFLICT: [409, 'The job is not in a state that allows this.'],
  ALREADY_REQUEUED: [409, 'The job was queued again a moment ago.'],
  REPROCESS_LIMIT: [409, 'The job has been reprocessed as often as is allowed.'],
  DESTINATION_CHANGED: [409, 'Somebody else has changed this destination meanwhile; read it again.'],
  TOO_MANY_DESTINATIONS: [409, 'There are as many destinations as are allowed.'],
  TOO_MANY_QUEUES: [409, 'There are as many queues as are allowed.'],
  PREVIEW_EXPIRED: [409, 'This preview is too old; look again.'],
  BODY_TOO_LARGE: [413, 'The body is too large.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Send JSON, as application/json.'],
  UNSUPPORTED_ENCODING: [415, 'This Content-Encoding is not taken.'],
  IDEMPOTENCY_CONFLICT: [422, 'This idempotency key was used with another body.'],
  RATE_LIMITED: [429, 'The tenant posts more events than its limit allows; try again later.'],
  TOO_MANY_AWAITING: [429, 'Too many replies are waited for; try again later.'],
  TOO_MANY_BULKS: [429, 'As many bulks are running as are allowed; wait for one, or cancel it.'],
  TOO_MANY_SUBSCRIPTIONS: [429, 'There are as many subscriptions as the limit allows.'],
  HEADERS_TOO_LARGE: [431, 'The headers are too large.'],
  UPSTREAM_NOT_CONFIGURED: [501, 'No upstream is configured.'],
  UPSTREAM_REFUSED: [502, 'The upstream refused the call.'],
  UPSTREAM_ERROR: [502, 'The upstream failed.'],
  UPSTREAM_UNREADABLE: [502, 'The answer of the upstream cannot be read.'],
  UPSTREAM_NO_ID: [502, 'The answer of the upstream has no id.'],
  UPSTREAM_ID_TAKEN: [502, 'The upstream answered with the id of another call.'],
  UPSTREAM_TIMEOUT: [502, 'The upstream did not answer in time.'],
  UPSTREAM_UNREACHABLE: [502, 'The upstream cannot be reached.'],
  UPSTREAM_UNAVAILABLE: [502, 'The upstream fails too often and is left alone for a moment.'],
  REPLY_FAILED: [502, 'The upstream replied that it failed.'],
  REPLY_PENDING: [504, 'The reply is still to come.'],
  BACKLOG_FULL: [503, 'Too many events are waiting; try again later.'],
  REDIS_UNAVAILABLE: [503, 'The event store cannot be reached; try again.'],
  LOOK_UPS_BUSY: [503, 'Too many unknown tokens are being looked up; try again.'],
  DATABASE_UNAVAILABLE: [503, 'The database cannot be reached; try again.'],
  TOO_MANY_STREAMS: [503, 'This instance serves as many streams as it can; try again.'],
  SHUTTING_DOWN: [503, 'This instance is stopping; try again.'],
  TOKEN_UNREADABLE: [500, 'The stored token cannot be read.'],
  INTERNAL: [500, 'Something went wrong on our side.'],
} as const satisfies Record<string, readonly [number, string]>

export type ErrorCode = keyof typeof catalogue

/** Whether a stored text is a code of the catalogue. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(catalogue, code)

type Options = { cause?: unknown; retryAfterSeconds?: number; details?: Record<string, unknown> }

/** The one error of Gancho that may reach a caller: a code of the catalogue, a message made for people, never a secret. */
export class GanchoError extends Error {
  readonly code: ErrorCode
  /** HTTP status that REST answers for this code. */
  readonly status: number
  /** Seconds after which a repeat makes sense, sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined
  /** Further facts for the caller, such as the position of a JSON error. */
  readonly details: Record<string, unknown> | undefined

  /** Whether something is wrong here, which belongs into the log; what an upstream did does not. */
  get isFault(): boolean {
    return this.status === 500 || this.status === 503
  }

  constructor(code: ErrorCode, message?: string, options: Options = {}) {
    super(message ?? catalogue[code][1], options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GanchoError'
    this.code = code
    this.status = catalogue[code][0]
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details
  }
}
