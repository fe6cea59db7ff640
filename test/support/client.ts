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
  return {
    call,
    post: (event: unknown, headers?: Record<string, string>): Promise<Answered> =>
      call('POST', '/webhook', event, headers),
    /** Number of the accepted job. */
    async postJob(event: unknown, headers?: Record<string, string>): Promise<string> {
      const { status, body } = await call('POST', '/webhook', event, headers)
      if (status !== 202) throw new Error(`POST /webhook answered ${status} ${JSON.stringify(body)}`)
      return body.id as string
    },
    async graphql<Data = Json>(query: string, variables: Json = {}): Promise<Data> {
      const { body } = await call('POST', '/graphql', { query, variables })
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
