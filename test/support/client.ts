import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminToken, type GanchoProcess } from './gancho.ts'

type Json = Record<string, unknown>
export type Answered = { status: number; headers: Headers; body: Json }

/** Calls Gancho the way a user does: over HTTP. */
export function clientOf({ origin }: Pick<GanchoProcess, 'origin'>, token = adminToken) {
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text ? JSON.parse(text) : {}) as Json,
    }
  }
  const postPatiently = (event: unknown, headers: Record<string, string> = {}): Promise<Answered> => {
    const isKeyed = 'idempotency-key' in headers || 'webhook-id' in headers
    const keyed = isKeyed ? headers : { ...headers, 'idempotency-key': randomUUID() }
    return askWhile(isWithoutRedis, () => call('POST', '/webhook', event, keyed))
  }
  return {
    call,
    post: (event: unknown, headers?: Record<string, string>): Promise<Answered> =>
      call('POST', '/webhook', event, headers),
    /** Like a sender, it posts again, under the same key, while Redis is slower than Gancho waits for it. */
    postPatiently,
    /** Number of the accepted job, posted patiently. */
    async postJob(event: unknown, headers?: Record<string, string>): Promise<string> {
      const { status, body } = await postPatiently(event, headers)
      if (status !== 202) throw new Error(`POST /webhook answered ${status} ${JSON.stringify(body)}`)
      return body.id as string
    },
    /** What only reads is asked again while Redis is slower than Gancho waits for it. */
    async graphql<Data = Json>(query: string, variables: Json = {}): Promise<Data> {
      const ask = () => call('POST', '/graphql', { query, variables })
      const { body } = await (/^\s*mutation\b/.test(query) ? ask() : askWhile(isWithoutRedis, ask))
      if (body.errors) throw new Error(JSON.stringify(body.errors))
      return body.data as Data
    },
    async newTenant(cnpj = '11222333000181'): Promise<string> {
      const { status, body } = await call('POST', '/admin/clientes', { cnpj, name: 'Test' })
      if (status !== 201) throw new Error(`POST /admin/clientes answered ${status} ${JSON.stringify(body)}`)
      return body.token as string
    },
  }
}

/** Whether Redis was away, or slower than a gateway waits for it, which on a busy machine it may be. */
export function isWithoutRedis({ body }: Pick<Answered, 'body'>): boolean {
  const { error, errors = [error] } = body as { error?: { code?: string }; errors?: Refusal[] }
  return errors.every((one) => codeOf(one) === 'REDIS_UNAVAILABLE')
}
type Refusal = { code?: string; extensions?: { code?: string } } | undefined
const codeOf = (refusal: Refusal) => refusal?.extensions?.code ?? refusal?.code

/** The first answer that is not so, or the last one of a minute. */
export async function askWhile<Answer>(
  isSo: (answer: Answer) => boolean,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await ask()
    if (!isSo(answer) || Date.now() > end) return answer
    await sleep(20)
  }
}

type Waiting = {
  withinMs?: number
  /** What is waited for. A function is asked when it did not come, and can tell what was seen last. */
  what?: string | (() => string)
}

/** Waits until `check` returns something other than undefined, null or false, and returns it. */
export async function until<Value>(
  check: () => Promise<Value> | Value,
  { withinMs = 60_000, what = String(check) }: Waiting = {},
): Promise<Exclude<Value, undefined | null | false>> {
  const end = Date.now() + withinMs
  for (;;) {
    const value = await check()
    if (value) return value as Exclude<Value, undefined | null | false>
    if (Date.now() > end)
      throw new Error(`${typeof what === 'string' ? what : what()}: not within ${withinMs} ms`)
    await sleep(20)
  }
}
