import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import type { TenantSettings } from '../../src/tenants/tenant-settings.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { startWebhookServer } from '../support/webhook-server.ts'

const Publish = graphql(`
  mutation PublishWithinLimits($input: PublishEventInput!) { publishEvent(input: $input) { ids } }
`)
const Limits = graphql(`query Limits { viewer { limits { name used max } } }`)

const maxBodyBytes = 2_000
let services: TestServices
let endpoint: ReturnType<typeof createGraphql>
let server: Awaited<ReturnType<typeof startWebhookServer>>
let principal: Principal = admin

beforeAll(async () => {
  services = await openTestServices()
  endpoint = createGraphql({ services, log: console, maxEventBytes: maxBodyBytes })
  const log = pino({ level: 'silent' })
  server = await startWebhookServer({
    intake: services.intake,
    principal: () => principal,
    maxBodyBytes,
    log,
  })
})
afterAll(async () => {
  await server.close()
  await services.close()
})

let tenants = 0
/** A tenant nobody knows yet, who posts from now on and asks over GraphQL. */
function newTenant(limits?: TenantSettings['limits']) {
  tenants += 1
  const times = { createdAt: 0, updatedAt: 0 }
  const settings = limits ? { limits } : {}
  const tenant = { cnpj: String(tenants).padStart(14, '0'), name: 'T', active: true, settings, ...times }
  principal = { kind: 'tenant', tenant }
  return graphqlClient(endpoint, principal)
}
const limitHeaders = (headers: Headers) => [headers.get('ratelimit-policy'), headers.get('ratelimit')]
/** Slow enough that nothing becomes free during a test. */
const requestsPerSecond = 0.01
/** What one event costs, in seconds. */
const eventSeconds = 1 / requestsPerSecond
/** Seconds as they were at first: the test itself takes some. */
const atFirst = (seconds: number) => Math.ceil(seconds / eventSeconds) * eventSeconds
/** The same with `t` as it was at first. */
const steadyHeaders = (headers: Headers) =>
  limitHeaders(headers).map((text) => text?.replace(/(?<=;t=)\d+/, (t) => String(atFirst(Number(t)))))

describe('a rate limit', () => {
  test('is told with every answer until it is spent, and then with the refusal', async () => {
    newTenant({ requestsPerSecond, burst: 2 })
    const policy = '"default";q=2;w=200'
    expect(steadyHeaders((await server.post('a')).headers)).toEqual([policy, '"default";r=1;t=100'])
    expect(steadyHeaders((await server.post('b')).headers)).toEqual([policy, '"default";r=0;t=200'])
    const { status, headers, error } = await server.post('c')
    expect(status).toBe(429)
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { burst: 2, remaining: 0 } })
    expect(steadyHeaders(headers)).toEqual([policy, '"default";r=0;t=200'])
    expect(atFirst(Number(headers.get('retry-after')))).toBe(100)
  })

  test('has a burst of one second’s worth unless it says otherwise', async () => {
    newTenant({ requestsPerSecond: 2.5 })
    expect(limitHeaders((await server.post('a')).headers)).toEqual(['"default";q=3;w=2', '"default";r=2;t=1'])
  })

  test('lets a repeated event pass when it is spent', async () => {
    newTenant({ requestsPerSecond, burst: 1 })
    const first = await server.post('a', { 'idempotency-key': 'k' })
    const again = await server.post('a', { 'idempotency-key': 'k' })
    expect([again.status, again.ids]).toEqual([202, first.ids])
    expect(steadyHeaders(again.headers)[1]).toBe('"default";r=0;t=100')
    expect((await server.post('a')).status).toBe(429)
  })

  test('counts what comes over REST and over GraphQL together', async () => {
    const client = newTenant({ requestsPerSecond, burst: 2 })
    await client.data(Publish, { input: { body: 'a' } })
    await server.post('b')
    const { errors } = await client.send(Publish, { input: { body: 'c' } })
    const { retryAfterSeconds, ...refusal } = errors?.[0]?.extensions ?? {}
    expect(refusal).toMatchObject({ code: 'RATE_LIMITED', details: { burst: 2, remaining: 0 } })
    expect(atFirst(retryAfterSeconds ?? 0)).toBe(100)
  })

  test('is nobody’s until it is set', async () => {
    newTenant({ burst: 1 })
    for (let i = 0; i < 20; i += 1) {
      const { status, headers } = await server.post('a')
      expect([status, ...limitHeaders(headers)]).toEqual([202, null, null])
    }
  })
})

describe('the size of an event', () => {
  test('is bound by the tenant’s limit, over REST and GraphQL', async () => {
    const client = newTenant({ maxBodyBytes: 10 })
    expect((await server.post('x'.repeat(10))).status).toBe(202)
    const { status, error } = await server.post('x'.repeat(11))
    expect([status, error?.code]).toEqual([413, 'BODY_TOO_LARGE'])
    await client.data(Publish, { input: { body: 'x'.repeat(10) } })
    expect(await client.codes(Publish, { input: { body: 'x'.repeat(11) } })).toEqual(['BODY_TOO_LARGE'])
  })

  test('is bound by the process however much the tenant may', async () => {
    newTenant({ maxBodyBytes: 2 * maxBodyBytes })
    expect((await server.post('x'.repeat(maxBodyBytes))).status).toBe(202)
    expect((await server.post('x'.repeat(maxBodyBytes + 1))).status).toBe(413)
  })

  test('that is refused costs nothing of the rate', async () => {
    newTenant({ maxBodyBytes: 10, requestsPerSecond, burst: 1 })
    expect((await server.post('x'.repeat(11))).status).toBe(413)
    expect((await server.post('x')).status).toBe(202)
  })
})

describe('viewer.limits', () => {
  const waiting = { name: 'waitingReplies', used: 0, max: 1_000 }
  const limitsOf = async (client: ReturnType<typeof newTenant>) => (await client.data(Limits)).viewer.limits

  const subscriptions = { name: 'subscriptions', used: 0, max: 1_000 }

  test('tells a tenant what it has spent of what it may', async () => {
    const client = newTenant({ requestsPerSecond, burst: 5, maxBodyBytes: 10 })
    const rest = [{ name: 'maxBodyBytes', used: null, max: 10 }, waiting, subscriptions]
    expect(await limitsOf(client)).toEqual([{ name: 'requestsPerSecond', used: 0, max: 5 }, ...rest])
    await Promise.all(Array.from({ length: 7 }, () => server.post('a')))
    expect(await limitsOf(client)).toEqual([{ name: 'requestsPerSecond', used: 5, max: 5 }, ...rest])
  })

  test('is what holds for all for a tenant without limits, and nothing for an administrator', async () => {
    const size = { name: 'maxBodyBytes', used: null, max: maxBodyBytes }
    expect(await limitsOf(newTenant())).toEqual([size, waiting, subscriptions])
    expect(await limitsOf(graphqlClient(endpoint, admin))).toEqual([])
  })
})
