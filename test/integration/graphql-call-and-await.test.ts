import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { keys } from '../../src/redis/keys.ts'
import type { UpstreamAnswer } from '../../src/sync/upstream/upstream.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import { graphql } from '../gql/gql.ts'
import { until } from '../support/client.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'
import { accepted, testUpstream } from '../support/upstreams.ts'

const Call = graphql(`
  mutation CallAndAwait($input: CallAndAwaitInput!) {
    callAndAwait(input: $input) {
      __typename
      ... on ReplyReceived { awaitId payload elapsedMs job { id status } }
      ... on ReplyFailed { awaitId payload elapsedMs job { id } }
      ... on ReplyPending { awaitId expiresAt }
      ... on UpstreamFailed { awaitId code message upstreamStatus }
      ... on TooManyAwaiting { max retryAfterSeconds }
    }
  }
`)
const Read = graphql(`
  query AwaitedReply($id: ID, $idempotencyKey: String) {
    awaitedReply(id: $id, idempotencyKey: $idempotencyKey) {
      id status upstream externalId payload body createdAt deadline expiresAt repliedAt duplicates
      failure { code message upstreamStatus } job { id }
    }
  }
`)
const Publish = graphql(`
  mutation PublishReply($input: PublishEventInput!) { publishEvent(input: $input) { ids } }
`)
const Unmatched = graphql(`
  query UnmatchedReplies($cnpj: CNPJ) {
    unmatchedReplies(cnpj: $cnpj) { count last { upstream externalId eventId at job { id } } }
  }
`)

let answer: UpstreamAnswer
const upstream = testUpstream({ answer: () => answer })
let services: TestServices
let endpoint: ReturnType<typeof createGraphql>
let tenant: ReturnType<typeof graphqlClient>
let other: ReturnType<typeof graphqlClient>
let administrator: ReturnType<typeof graphqlClient>
let principal: Principal & { kind: 'tenant' }

beforeAll(async () => {
  services = await openTestServices({ upstreams: [upstream] })
  endpoint = createGraphql({ services, log: console, maxEventBytes: 2_000 })
  principal = await newTenant(services.tenants, numericCnpj, 'Padaria')
  tenant = graphqlClient(endpoint, principal)
  other = graphqlClient(endpoint, await newTenant(services.tenants, alphanumericCnpj, 'Farmácia'))
  administrator = graphqlClient(endpoint, admin)
})
afterAll(() => services.close())

let ids = 0
beforeEach(() => {
  ids += 1
  answer = accepted(`ext-${ids}`)
})
const call = async (input = {}) => (await tenant.data(Call, { input })).callAndAwait
/** Resolves when the newest call has bound its external id; answers the id of the call. */
async function bound(): Promise<string> {
  const id = await until(async () => {
    const url = upstream.calls.at(-1)?.callbackUrl ?? ''
    const found = url.split('/').at(-1)?.split('.')[0] ?? ''
    return (await services.redis.hget(keys.await(found), 'externalId')) === `ext-${ids}` && found
  })
  return id
}
const reply = async (more = {}) => {
  const input = { payload: { id: `ext-${ids}`, ...more } }
  return (await tenant.data(Publish, { input })).publishEvent.ids[0]
}

/** By Redis' clock, which may be a moment after the caller was answered. */
const isExpired = (id: string) =>
  expect.poll(async () => (await tenant.data(Read, { id })).awaitedReply).toMatchObject({ status: 'EXPIRED' })

describe('callAndAwait', () => {
  test('answers with the reply and its job', async () => {
    const calling = call({ body: { amount: 7 } })
    const awaitId = await bound()
    expect(upstream.calls.at(-1)?.body?.toString()).toBe('{"amount":7}')
    const job = await reply({ paid: true })
    expect(await calling).toEqual({
      ...{ __typename: 'ReplyReceived', awaitId, payload: { id: `ext-${ids}`, paid: true } },
      ...{ elapsedMs: expect.any(Number), job: { id: job, status: 'RECEIVED' } },
    })
  })

  test('answers at once with a reply that reports failure', async () => {
    const calling = call()
    const awaitId = await bound()
    const job = await reply({ error: 'no funds' })
    expect(await calling).toMatchObject({
      ...{ __typename: 'ReplyFailed', awaitId, payload: { error: 'no funds' }, job: { id: job } },
    })
  })

  test('answers with a handle at the deadline', async () => {
    const pending = await call({ timeoutMs: 30, idempotencyKey: 'late' })
    expect(pending).toEqual({
      ...{
        __typename: 'ReplyPending',
        awaitId: expect.stringMatching(/^aw_/),
        expiresAt: expect.any(String),
      },
    })
    const { awaitId, expiresAt } = pending as { awaitId: string; expiresAt: string }
    await bound()
    await isExpired(awaitId)
    const job = await reply({ late: true })
    const expected = {
      ...{ id: awaitId, status: 'LATE', upstream: 'default', externalId: `ext-${ids}` },
      ...{ payload: { id: `ext-${ids}`, late: true }, duplicates: 0, failure: null, job: { id: job } },
    }
    expect((await tenant.data(Read, { id: awaitId })).awaitedReply).toMatchObject(expected)
    const { awaitedReply } = await tenant.data(Read, { idempotencyKey: 'late' })
    expect(awaitedReply).toMatchObject(expected)
    // Kept from its arrival on.
    expect(Date.parse(awaitedReply?.expiresAt ?? '')).toBeGreaterThan(Date.parse(expiresAt))
  })

  test('tells why the upstream failed, and awaitedReply does so too', async () => {
    answer = {
      ...{
        kind: 'failed',
        code: 'UPSTREAM_REFUSED',
        status: 422,
        message: 'It was refused.',
        maybeSent: false,
      },
    }
    const failed = await call()
    expect(failed).toMatchObject({
      ...{
        __typename: 'UpstreamFailed',
        code: 'UPSTREAM_REFUSED',
        message: 'It was refused.',
        upstreamStatus: 422,
      },
    })
    const { awaitedReply } = await tenant.data(Read, { id: (failed as { awaitId: string }).awaitId })
    expect(awaitedReply).toMatchObject({
      ...{
        status: 'FAILED',
        failure: { code: 'UPSTREAM_REFUSED', upstreamStatus: 422 },
        payload: null,
        job: null,
      },
    })
  })

  test('tells how many may wait when that many do', async () => {
    const limited = { ...principal.tenant, settings: { limits: { waitingReplies: 1 } } }
    const client = graphqlClient(endpoint, { kind: 'tenant', tenant: limited })
    const calling = call()
    await bound()
    const refused = (await client.data(Call, { input: {} })).callAndAwait
    expect(refused).toEqual({
      ...{ __typename: 'TooManyAwaiting', max: 1, retryAfterSeconds: expect.any(Number) },
    })
    await reply()
    await calling
  })

  test('is for tenants', async () => {
    expect(await administrator.codes(Call, { input: {} })).toEqual(['FORBIDDEN'])
  })

  test.each([
    ['UPSTREAM_NOT_FOUND', { upstream: 'nobody' }],
    ['BAD_REQUEST', { timeoutMs: 0 }],
    ['BAD_REQUEST', { idempotencyKey: 'with a blank' }],
  ])('is refused with %s for %j', async (code, input) => {
    expect(await tenant.codes(Call, { input })).toEqual([code])
  })

  test('without any upstream says so', async () => {
    const bare = await openTestServices()
    const client = graphqlClient(
      createGraphql({ services: bare, log: console, maxEventBytes: 2_000 }),
      principal,
    )
    expect(await client.codes(Call, { input: {} })).toEqual(['UPSTREAM_NOT_CONFIGURED'])
    await bare.close()
  })
})

describe('awaitedReply', () => {
  test('is another tenant’s as little as one that is not there; an administrator sees it by its id', async () => {
    const { awaitId: id } = (await call({ timeoutMs: 30, idempotencyKey: 'mine' })) as { awaitId: string }
    await isExpired(id)
    expect((await other.data(Read, { id })).awaitedReply).toBeNull()
    expect((await other.data(Read, { idempotencyKey: 'mine' })).awaitedReply).toBeNull()
    expect((await tenant.data(Read, { id: 'aw_nothing' })).awaitedReply).toBeNull()
    expect((await administrator.data(Read, { id })).awaitedReply).toMatchObject({ id, status: 'EXPIRED' })
    expect(await administrator.codes(Read, { idempotencyKey: 'mine' })).toEqual(['BAD_REQUEST'])
  })

  test('takes an id or a key, one of them', async () => {
    expect(await tenant.codes(Read, { id: null })).toEqual(['BAD_REQUEST'])
    expect(await tenant.codes(Read, { id: 'a', idempotencyKey: 'b' })).toEqual(['BAD_REQUEST'])
  })

  test('keeps a reply that is no JSON as text', async () => {
    const calling = call()
    const id = await bound()
    await tenant.data(Publish, {
      input: { body: 'done', correlationId: `ext-${ids}`, contentType: 'text/plain' },
    })
    expect(await calling).toMatchObject({ __typename: 'ReplyReceived', payload: null })
    expect((await tenant.data(Read, { id })).awaitedReply).toMatchObject({ payload: null, body: 'done' })
  })
})

test('unmatchedReplies shows a tenant what answered nothing, and an administrator anybody’s', async () => {
  await until(async () => (await services.correlator.awaited.waiting(numericCnpj)) === 0)
  await expect.poll(() => services.redis.keys('{gancho}:await-unbound:*')).toEqual([])
  const [job] = (await tenant.data(Publish, { input: { payload: { id: 'nobody' } } })).publishEvent.ids
  const { unmatchedReplies } = await tenant.data(Unmatched, { cnpj: null })
  expect(unmatchedReplies.last[0]).toMatchObject({
    upstream: 'default',
    externalId: 'nobody',
    job: { id: job },
  })
  expect((await administrator.data(Unmatched, { cnpj: numericCnpj })).unmatchedReplies).toEqual(
    unmatchedReplies,
  )
  expect((await other.data(Unmatched, { cnpj: null })).unmatchedReplies).toEqual({ count: 0, last: [] })
  expect(await other.codes(Unmatched, { cnpj: numericCnpj })).toEqual(['FORBIDDEN'])
  expect(await administrator.codes(Unmatched, { cnpj: null })).toEqual(['BAD_REQUEST'])
})
