import type { Access } from './access.ts'
import { CliError, exitCodes } from './failure.ts'

export type Api = {
  /** A call of REST; resolves with the JSON that was answered. @throws CliError */
  rest<Answer>(method: string, path: string, options?: RestOptions): Promise<Answer>
  /** The data of a GraphQL operation. @throws CliError of its first error */
  graphql<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>
  /** The response to a subscription as server-sent events, once it is there. @throws CliError when it is refused */
  subscribe(body: SubscribeBody, options: SubscribeOptions): Promise<Response>
}
type RestOptions = { body?: Uint8Array<ArrayBuffer> | string; headers?: Record<string, string> }
type SubscribeBody = { query: string; variables: Record<string, unknown> }
type SubscribeOptions = { lastEventId: string | undefined; signal: AbortSignal }
type Problem = { message?: string; code?: string; requestId?: string; retryAfterSeconds?: number }

const timeoutMs = 30_000

/** Speaks to Gancho over HTTP, with the token of `access`. Redirections are not followed, so nobody else is shown it. */
export function createApi(access: Access): Api {
  const { url, token } = access
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(init.headers as object) }
    try {
      return await fetch(`${url}${path}`, { redirect: 'error', ...init, headers })
    } catch (error) {
      throw unreachable(url, error)
    }
  }
  const bounded = () => AbortSignal.timeout(timeoutMs)
  const operation = (body: SubscribeBody | { query: string; variables?: Record<string, unknown> }) => ({
    method: 'POST',
    body: JSON.stringify(body),
  })
  const json = { 'content-type': 'application/json' }
  return {
    async rest<Answer>(method: string, path: string, { body, headers = {} }: RestOptions = {}) {
      const init = { method, headers, signal: bounded(), ...(body !== undefined && { body }) }
      const response = await call(path, init)
      return (await answerOf(access, response)) as Answer
    },
    async graphql<Data>(query: string, variables: Record<string, unknown> = {}) {
      const init = { ...operation({ query, variables }), headers: json, signal: bounded() }
      const response = await call('/graphql', init)
      const { data } = (await answerOf(access, response)) as { data: Data }
      return data
    },
    async subscribe(body, { lastEventId, signal }) {
      const resume: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
      const headers = { ...json, accept: 'text/event-stream', ...resume }
      const response = await call('/graphql', { ...operation(body), headers, signal })
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
      if (response.ok && isStream) return response
      await answerOf(access, response)
      throw new CliError(exitCodes.failed, `${url} did not answer with a stream of events.`)
    },
  }
}

async function answerOf({ url, token }: Access, response: Response): Promise<unknown> {
  const text = await response.text().catch((error) => {
    throw unreachable(url, error)
  })
  const body = parsed(text)
  const problem = problemOf(body)
  if (problem) throw refusal(withHint(problem, token), response)
  if (response.ok && (body !== undefined || text === '')) return body
  const message = `${url} answered ${response.status} with something that is not Gancho's. Is the address right?`
  throw new CliError(exitCodes.failed, message, { retryAfterMs: retryAfterMs(response) })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The first error of an answer, in the form of REST or of GraphQL. */
export function problemOf(body: unknown): Problem | undefined {
  const { error, errors } = (body ?? {}) as {
    error?: Problem
    errors?: { message?: string; extensions?: Problem }[]
  }
  if (errors?.[0]) return { ...errors[0].extensions, message: errors[0].message ?? 'unknown error' }
  return typeof error === 'object' ? error : undefined
}

const withHint = (problem: Problem, token: string | undefined): Problem =>
  problem.code === 'UNAUTHENTICATED' && !token
    ? { ...problem, message: `${problem.message} Set GANCHO_TOKEN.` }
    : problem

/** GraphQL answers 200 with them. */
const later =
  /^(BACKLOG_FULL|REDIS_UNAVAILABLE|LOOK_UPS_BUSY|DATABASE_UNAVAILABLE|TOO_MANY_STREAMS|SHUTTING_DOWN)$/

function refusal({ message, code = '', requestId }: Problem, response: Response): CliError {
  const exitCode = response.status > 500 || later.test(code) ? exitCodes.unreachable : exitCodes.failed
  return new CliError(exitCode, message ?? `Gancho answered ${response.status}.`, {
    code: code || undefined,
    requestId: requestId ?? response.headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterMs(response),
  })
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined
}

function unreachable(url: string, error: unknown): CliError {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } }
  const why =
    name === 'TimeoutError' ? `no answer within ${timeoutMs / 1_000} s` : (cause?.code ?? cause?.message)
  return new CliError(exitCodes.unreachable, `Gancho cannot be reached at ${url}${why ? ` (${why})` : ''}.`)
}
