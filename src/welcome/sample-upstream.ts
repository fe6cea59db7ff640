import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type Callbacks, createCallbacks, type Simulation, simulations } from './sample-callbacks.ts'
import { type SampleAnswer, type SampleRequest, startSampleServer } from './sample-server.ts'

type Options = {
  log: { info(message: string): void }
  /** Milliseconds until a callback, 500 unless given; until one that is to be late, 8,000. */
  delayMs?: number
  lateMs?: number
  /** For requests that ask for nothing else. */
  simulate?: Simulation
}
export type SampleUpstream = {
  origin: string
  apiKey: string
  /** JSON pointer to the error in a callback that tells of failure. */
  errorPointer: string
  close(): Promise<void>
}
type State = {
  apiKey: string
  accessToken: string
  simulate: Simulation
  callbacks: Callbacks
  /** Ids by idempotency key, the oldest first. */
  made: Map<string, string>
}

const errorPointer = '/error'
const tokenSeconds = 3_600
const keptKeys = 1_000
const asked = z.looseObject({ simulate: z.enum(simulations).optional() })

/**
 * An asynchronous API to try awaited replies with: a real HTTP server on 127.0.0.1 that exchanges its API key at `/auth/token`,
 * makes a QR code at `/qrcodes`, and posts it to the callback URL a moment later; early, late, twice, never or as a failure where
 * the body says so, such as `{"simulate":"late"}`.
 */
export async function startSampleUpstream(options: Options): Promise<SampleUpstream> {
  const { log, delayMs = 500, lateMs = 8_000, simulate = 'normal' } = options
  const state: State = {
    apiKey: randomBytes(24).toString('base64url'),
    accessToken: randomBytes(24).toString('base64url'),
    simulate,
    callbacks: createCallbacks({ delayMs, lateMs, log }),
    made: new Map(),
  }
  const server = await startSampleServer({ answer: (request) => answer(request, state) })
  return {
    origin: server.origin,
    apiKey: state.apiKey,
    errorPointer,
    async close() {
      state.callbacks.close()
      await server.close()
    },
  }
}

function answer(asking: SampleRequest, state: State): Promise<SampleAnswer> | SampleAnswer {
  const { request, path } = asking
  if (request.method !== 'POST') return { status: 200, body: description }
  if (path === '/auth/token') return grant(request.headers['x-api-key'], state)
  if (path !== '/qrcodes') return { status: 404, body: { error: 'there are /auth/token and /qrcodes' } }
  if (request.headers.authorization !== `Bearer ${state.accessToken}`)
    return { status: 401, body: { error: 'the access token is missing or wrong' } }
  return makeQrCode(asking, state)
}

function grant(key: unknown, { apiKey, accessToken }: State): SampleAnswer {
  if (key !== apiKey) return { status: 401, body: { error: 'the API key is missing or wrong' } }
  return {
    status: 200,
    body: { access_token: accessToken, token_type: 'Bearer', expires_in: tokenSeconds },
  }
}

async function makeQrCode({ request, body }: SampleRequest, state: State): Promise<SampleAnswer> {
  const read = parse(body.toString('utf8'))
  if (!read.ok) return { status: 400, body: { error: read.problem } }
  const key = request.headers['idempotency-key']
  const known = typeof key === 'string' ? state.made.get(key) : undefined
  if (known !== undefined) return { status: 200, body: { id: known, status: 'PENDING' } }
  const id = `qr_${randomBytes(9).toString('base64url')}`
  if (typeof key === 'string') remember(state.made, key, id)
  const simulate = read.simulate ?? state.simulate
  const url = request.headers['x-callback-url']
  const over = state.callbacks.run({
    id,
    url: typeof url === 'string' ? url : undefined,
    asked: read.body,
    simulate,
  })
  if (simulate === 'early') await over
  return { status: 201, body: { id, status: 'PENDING' } }
}

type Parsed = { ok: true; body: unknown; simulate: Simulation | undefined } | { ok: false; problem: string }

function parse(text: string): Parsed {
  let body: unknown = null
  try {
    if (text !== '') body = JSON.parse(text)
  } catch {
    return { ok: false, problem: 'the body is not JSON' }
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { ok: true, body, simulate: undefined }
  const parsed = asked.safeParse(body)
  if (!parsed.success) return { ok: false, problem: `simulate is one of ${simulations.join(', ')}` }
  return { ok: true, body, simulate: parsed.data.simulate }
}

function remember(made: Map<string, string>, key: string, id: string): void {
  made.set(key, id)
  const [oldest] = made.keys()
  if (made.size > keptKeys && oldest !== undefined) made.delete(oldest)
}

const description = {
  what: "Gancho's sample upstream: POST /qrcodes makes a QR code, and tells it to the callback URL a moment later.",
  simulate: `in the body, one of ${simulations.join(', ')}: {"simulate":"late"}`,
}
