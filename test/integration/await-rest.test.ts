import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRouter } from '../../src/http/router.ts'
import { keys } from '../../src/redis/keys.ts'
import { callbackHandler } from '../../src/rest/callback.ts'
import { newQrcodeRoute } from '../../src/rest/new-qrcode.ts'
import type { UpstreamAnswer } from '../../src/sync/upstream/upstream.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { tenant } from '../support/awaiting.ts'
import { until } from '../support/client.ts'
import { sampleEvent } from '../support/core.ts'
import { admin } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { accepted, testUpstream } from '../support/upstreams.ts'

const log = pino({ level: 'silent' })
const maxBodyBytes = 20_000
const own: Principal = { kind: 'tenant', tenant }
let principal: Principal = own
let answer: UpstreamAnswer
const upstream = testUpstream({ answer: () => answer })
let services: TestServices
let origin: string
let stop: () => Promise<unknown>

beforeAll(async () => {
  services = await openTestServices({ upstreams: [upstream] })
  const { correlator, intake } = services
  const { capabilities, upstreams } = correlator
  const router = createRouter({
    ...{ routes: [newQrcodeRoute(correlator)], open: [], elsewhere: [], maxBodyBytes, log },
    authenticate: () => principal,
  })
  const server = createServer(
    callbackHandler({ intake, capabilities, upstreams, maxBodyBytes, log, otherwise: router }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  stop = () => {
    server.closeAllConnections()
    return once(server.close(), 'close')
  }
})
afterAll(async () => {
  await stop()
  await services.close()
})

let ids = 0
beforeEach(() => {
  ids += 1
  answer = accepted(`rest-${ids}`)
  principal = own
  upstream.calls.length = 0
})

const post = (path: string, body?: string, headers = {}, signal?: AbortSignal) =>
  fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  })
const newQrcode = (body?: string, headers = {}, signal?: AbortSignal) =>
  post('/new-qrcode', body, headers, signal)
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; details: object } }
  return { status: response.status, code: error.code, details: error.details }
}
const callbackPath = async () => new URL((await until(() => upstream.calls[0])).callbackUrl).pathname
const idIn = (path: string) => path.split('/').at(-1)?.split('.')[0] ?? ''

describe('POST /new-qrcode', () => {
  test('answers 200 with the reply byte for byte, its type, its id and its job', async () => {
    const calling = newQrcode('{"n":12345678901234567890}')
    const path = await callbackPath()
    expect(upstream.calls[0]?.body?.toString()).toBe('{"n":12345678901234567890}')
    const text = '{ "qr" : "ção" }'
    const taken = await post(path, text)
    const { id } = (await taken.json()) as { id: string }
    expect([taken.status, id]).toEqual([202, expect.stringMatching(/^ID-\d+$/)])
    const response = await calling
    expect(await response.text()).toBe(text)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(response.headers.get('x-gancho-await-id')).toBe(idIn(path))
    expect(response.headers.get('x-gancho-job')).toBe(id)
  })

  test.each([
    ['in one piece with its headers', 300],
    ['in a piece of its own', 20_000],
  ])('answers bytes of any kind as they came, %s', async (_, length) => {
    const bytes = Buffer.from(Array.from({ length }, (__, i) => 255 - (i % 256)))
    const calling = newQrcode()
    const sent = { method: 'POST', headers: { 'content-type': 'image/png' }, body: bytes }
    expect((await fetch(`${origin}${await callbackPath()}`, sent)).status).toBe(202)
    const response = await calling
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    expect(response.headers.get('content-length')).toBe(String(length))
  })

  test('answers 504 with the id at the deadline', async () => {
    const { timeoutMs } = upstream
    Object.assign(upstream, { timeoutMs: 50 })
    const response = await newQrcode().finally(() => Object.assign(upstream, { timeoutMs }))
    type Pending = { awaitId: string; error: { requestId: string; details: { awaitId: string } } }
    const body = (await response.json()) as Pending
    expect(response.status).toBe(504)
    expect(body.error.requestId).toBe(response.headers.get('x-request-id'))
    expect(body).toMatchObject({ awaitId: idIn(await callbackPath()), error: { code: 'REPLY_PENDING' } })
    expect(body.error.details).toEqual({ awaitId: body.awaitId, expiresAt: expect.any(String) })
  })

  test.each([
    ['UPSTREAM_REFUSED', 422],
    ['UPSTREAM_TIMEOUT', null],
    ['UPSTREAM_UNAVAILABLE', null],
  ] as const)('answers 502 with the code and status of the upstream: %s', async (code, status) => {
    answer = { kind: 'failed', code, status, message: 'no', maybeSent: false }
    expect(await errorOf(await newQrcode())).toEqual({
      ...{ status: 502, code, details: { awaitId: expect.any(String), upstreamStatus: status } },
    })
  })

  test('answers 502 with a reply that reports failure', async () => {
    const calling = newQrcode()
    const path = await callbackPath()
    await post(path, '{"error":"no funds"}')
    expect(await errorOf(await calling)).toEqual({
      ...{ status: 502, code: 'REPLY_FAILED' },
      details: { awaitId: idIn(path), payload: { error: 'no funds' } },
    })
  })

  test('answers 429 when as many wait as may', async () => {
    principal = { kind: 'tenant', tenant: { ...tenant, settings: { limits: { waitingReplies: 1 } } } }
    const calling = newQrcode()
    const path = await callbackPath()
    const response = await newQrcode()
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await errorOf(response)).toMatchObject({ status: 429, code: 'TOO_MANY_AWAITING' })
    await post(path, '{}')
    expect((await calling).status).toBe(200)
  })

  test('the same Idempotency-Key gets the same reply, and the upstream is called once', async () => {
    const key = { 'idempotency-key': 'rest-key' }
    const calls = [newQrcode('{}', key), newQrcode('{}', key)]
    await post(await callbackPath(), '{"once":true}')
    for (const one of await Promise.all(calls)) expect(await one.json()).toEqual({ once: true })
    expect(await (await newQrcode('{}', key)).json()).toEqual({ once: true })
    expect(upstream.calls.length).toBe(1)
    expect(await errorOf(await newQrcode('{"other":1}', key))).toMatchObject({
      ...{ status: 422, code: 'IDEMPOTENCY_CONFLICT' },
    })
  })

  test('refuses what is no JSON, and administrators, without a call', async () => {
    expect(await errorOf(await newQrcode('{'))).toMatchObject({ status: 400, code: 'INVALID_JSON' })
    principal = admin
    expect(await errorOf(await newQrcode('{}'))).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    expect(upstream.calls.length).toBe(0)
  })

  test('lets go of a caller who hangs up', async () => {
    const caller = new AbortController()
    const calling = newQrcode('{}', {}, caller.signal).catch(() => 'hung up')
    await callbackPath()
    expect(services.correlator.waiting()).toBe(1)
    caller.abort()
    expect(await calling).toBe('hung up')
    await until(() => services.correlator.waiting() === 0)
  })
})

describe('POST /callback/:capability', () => {
  const open = async () => {
    const calling = newQrcode()
    return { calling, path: await callbackPath() }
  }

  test('needs no token, counts repeats, and answers each with 202', async () => {
    const { calling, path } = await open()
    principal = admin
    const answers = [
      await post(path, '{"nth":1}'),
      await post(path, '{"nth":2}'),
      await post(path, '{"nth":3}'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    const jobs = await Promise.all(
      answers.map(async (one) => ((await one.json()) as { ids: string[] }).ids.length),
    )
    expect(jobs).toEqual([1, 0, 0])
    expect(await (await calling).json()).toEqual({ nth: 1 })
    expect(await services.correlator.awaited.read(idIn(path))).toMatchObject({ duplicates: 2 })
  })

  test('is not bound by the rate limit of its tenant', async () => {
    const { calling, path } = await open()
    const limited = { ...sampleEvent, correlationId: null, rateLimit: { perSecond: 0.001, burst: 1 } }
    await services.intake.accept(limited)
    await expect(services.intake.accept(limited)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    expect((await post(path, '{}')).status).toBe(202)
    expect((await calling).status).toBe(200)
  })

  test('takes every reply, whatever key its sender uses for them', async () => {
    const key = { 'idempotency-key': 'of-the-upstream' }
    for (const turn of [1, 2]) {
      upstream.calls.length = 0
      answer = accepted(`callback-key-${turn}`)
      const { calling, path } = await open()
      expect((await post(path, `{"turn":${turn}}`, key)).status).toBe(202)
      expect(await (await calling).json()).toEqual({ turn })
    }
  })

  test('takes a reply although its sender’s key could serve nowhere, and hands that on', async () => {
    const { calling, path } = await open()
    expect((await post(path, '{}', { 'idempotency-key': 'with a blank' })).status).toBe(202)
    const n = Number((await calling).headers.get('x-gancho-job')?.slice('ID-'.length))
    const headers = await services.redis.hget(keys.job(n), 'headers')
    expect(JSON.parse(headers ?? '')).toMatchObject({ 'idempotency-key': 'with a blank' })
  })

  test('makes no job where its upstream’s replies are not to be delivered', async () => {
    Object.assign(upstream, { deliverReplies: false })
    const { calling, path } = await open()
    const response = await post(path, '{}').finally(() => Object.assign(upstream, { deliverReplies: true }))
    expect(((await response.json()) as { ids: string[] }).ids).toEqual([])
    expect([(await calling).status, (await calling).headers.get('x-gancho-job')]).toEqual([200, null])
  })

  test('takes a reply that is no JSON, by any content type', async () => {
    const { calling, path } = await open()
    await post(path, 'ready', { 'content-type': 'text/plain' })
    const response = await calling
    expect([await response.text(), response.headers.get('content-type')]).toEqual(['ready', 'text/plain'])
  })

  test('refuses what was never given, what is too large and what is not the JSON that it says to be', async () => {
    const { calling, path } = await open()
    expect(await errorOf(await post(`${path}x`, '{}'))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(await errorOf(await post(path, 'x'.repeat(maxBodyBytes + 1)))).toMatchObject({
      code: 'BODY_TOO_LARGE',
    })
    expect(await errorOf(await post(path, '{'))).toMatchObject({ status: 400, code: 'INVALID_JSON' })
    expect((await post(path, '{}')).status).toBe(202)
    expect((await calling).status).toBe(200)
  })

  test('takes nothing more, and makes no job, once the record is gone', async () => {
    const { calling, path } = await open()
    await post(path, '{}')
    await calling
    await services.redis.del(keys.await(idIn(path)))
    // While it is not known which event answers this one.
    const gate = Promise.withResolvers<UpstreamAnswer>()
    answer = gate.promise as never
    const other = newQrcode('{}', {}, AbortSignal.timeout(60_000))
    await until(() => upstream.calls.length === 2)
    const response = await post(path, '{}')
    expect([response.status, ((await response.json()) as { ids: string[] }).ids]).toEqual([202, []])
    gate.resolve(accepted(`rest-other-${ids}`))
    await post(new URL(upstream.calls[1]?.callbackUrl ?? '').pathname, '{"its":"own"}')
    expect(await (await other).json()).toEqual({ its: 'own' })
  })
})
