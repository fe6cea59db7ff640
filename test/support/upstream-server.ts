import type { ServerResponse } from 'node:http'
import { afterEach } from 'vitest'
import { createHttpClient } from '../../src/delivery/http-client.ts'
import { createUpstream, type UpstreamDeps } from '../../src/sync/upstream/create-upstream.ts'
import type { UpstreamAnswer, UpstreamRequest } from '../../src/sync/upstream/upstream.ts'
import type { UpstreamSettings } from '../../src/sync/upstream/upstream-settings.ts'
import { type Answer, type Received, startReceiver } from './receiver.ts'

export const apiKey = 'API-KEY-NOBODY-MAY-READ'
export const accessToken = 'ACCESS-TOKEN-NOBODY-MAY-READ'
export const callbackUrl = 'http://gancho.example/callback/CAPABILITY-NOBODY-MAY-READ'

/** Answers with JSON. */
export const json = (response: ServerResponse, status: number, body: unknown, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

type Handlers = {
  /** Given the number of the exchange, from 1. Grants `<accessToken>-<number>` for an hour unless told otherwise. */
  token?: (response: ServerResponse, number: number) => void
  /** Answers 201 with the id `QR-1` unless told otherwise. */
  call?: Answer
}

/** An upstream that is a real HTTP server, and does what a test says. `exchanges` and `calls` are what it got. */
export async function startUpstreamServer(handlers: Handlers = {}) {
  const exchanges: Received[] = []
  const calls: Received[] = []
  const grant = (response: ServerResponse, number: number) =>
    json(response, 200, { access_token: `${accessToken}-${number}`, expires_in: 3600 })
  const receiver = await startReceiver((response, received) => {
    if (received.path === '/auth/token') {
      exchanges.push(received)
      return (handlers.token ?? grant)(response, exchanges.length)
    }
    calls.push(received)
    return (handlers.call ?? ((to) => json(to, 201, { id: 'QR-1' })))(response, received)
  })
  return Object.assign(receiver, { origin: receiver.url.slice(0, -1), exchanges, calls })
}

type Over = Partial<Omit<UpstreamDeps, 'client' | 'log'>> & { connectTimeoutMs?: number }

/** The upstream client for `origin`, with times that need no waiting. `lines`: what it logged. */
export function openUpstream(origin: string, settings: Partial<UpstreamSettings> = {}, over: Over = {}) {
  const client = createHttpClient({ connectTimeoutMs: over.connectTimeoutMs ?? 5_000 })
  const lines: string[] = []
  const note = (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`)
  const deps: UpstreamDeps = {
    client,
    log: { info: note, warn: note },
    breaker: { threshold: 0.5, minimumCalls: 1_000, windowMs: 10_000, openMs: 50 },
    repeatAfterMs: [1, 1],
    tokenFailureMs: 0,
    now: Date.now,
    ...over,
  }
  const upstream = createUpstream(
    {
      name: 'payments',
      origin,
      apiKey,
      tokenPath: '/auth/token',
      requestPath: '/qrcodes',
      idPointer: '/id',
      replyIdPointer: '/id',
      errorPointer: undefined,
      timeoutMs: 10_000,
      deliverReplies: true,
      callbackHeader: 'X-Callback-Url',
      tenants: undefined,
      ...settings,
    },
    deps,
  )
  const call = (request: Partial<UpstreamRequest> = {}): Promise<UpstreamAnswer> =>
    upstream.call({
      body: Buffer.from('{"amount":1}'),
      idempotencyKey: 'key-1',
      callbackUrl,
      signal: new AbortController().signal,
      ...request,
    })
  return { upstream, call, lines, close: () => client.close() }
}

/** For the tests of one file: upstreams and clients of them, each of which ends with the test that opened it, like what it `keep`s. */
export function upstreamsForFile() {
  const keep = closeAfterEach()
  return {
    keep,
    startServer: async (...args: Parameters<typeof startUpstreamServer>) =>
      keep(await startUpstreamServer(...args)),
    open: (...args: Parameters<typeof openUpstream>) => keep(openUpstream(...args)),
  }
}

/** What a test opened, closed after it. */
function closeAfterEach() {
  const open: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const part of open.splice(0).reverse()) await part.close()
  })
  return <Part extends { close(): Promise<void> }>(part: Part): Part => {
    open.push(part)
    return part
  }
}
