import { hash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

type Client = ReturnType<typeof clientOf>

let fleet: Fleet
let one: Client
let two: Client
let gateways: GanchoProcess[]
let admin: Client

beforeAll(async () => {
  fleet = await openFleet({
    answer: (response) => response.end(),
    env: { IDEMPOTENCY_TTL_SECONDS: '120' },
  })
  const [first, second] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  gateways = [first, second]
  const { token, ...clients } = await clientsOf(first)
  admin = clients.admin
  one = clientOf(first, token)
  two = clientOf(second, token)
})
afterAll(() => fleet.close())

const jobsGiven = async () => Number(await fleet.data.get(keys.seq))

test.each(['idempotency-key', 'webhook-id'])(
  'the same %s at once on two instances makes one job, and all get its answer',
  async (name) => {
    const before = await jobsGiven()
    for (let i = 0; i < 10; i += 1) {
      const posts = [one, two, one, two].map((client) => client.post({ i }, { [name]: `${name}-${i}` }))
      const answers = await Promise.all(posts)
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202])
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    }
    expect((await jobsGiven()) - before).toBe(10)
  },
)

test.each(['idempotency-key', 'webhook-id'])('the same %s with another body is a conflict', async (name) => {
  await one.post({ order: 7 }, { [name]: `conflict-${name}` })
  const { status, body } = await two.post({ order: 8 }, { [name]: `conflict-${name}` })
  expect(status).toBe(422)
  expect(body.error).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
})

test('an Idempotency-Key counts, and a webhook-id beside it does not', async () => {
  const first = await one.postJob({}, { 'idempotency-key': 'a', 'webhook-id': 'msg_1' })
  expect(await one.postJob({}, { 'idempotency-key': 'a', 'webhook-id': 'msg_2' })).toBe(first)
  expect(await one.postJob({}, { 'idempotency-key': 'b', 'webhook-id': 'msg_1' })).not.toBe(first)
})

test('a webhook-id that cannot serve as a key is one of those headers that senders use as they like', async () => {
  const ids = [
    await one.postJob({}, { 'webhook-id': 'msg 1' }),
    await one.postJob({}, { 'webhook-id': 'msg 1' }),
  ]
  expect(new Set(ids).size).toBe(2)
})

test('a key is one key, whether its event comes over REST or over GraphQL', async () => {
  const publish = `mutation ($body: String!) {
    publishEvent(input: { body: $body, contentType: "application/json", idempotencyKey: "both" }) { ids }
  }`
  const id = await one.postJob('{"order":7}', { 'idempotency-key': 'both' })
  expect(await two.graphql(publish, { body: '{"order":7}' })).toEqual({ publishEvent: { ids: [id] } })
  await expect(two.graphql(publish, { body: '{"order":8}' })).rejects.toThrow('IDEMPOTENCY_CONFLICT')
})

test('a key is remembered for as long as is configured', async () => {
  await one.postJob({}, { 'idempotency-key': 'ttl' })
  const key = `${keys.idempotencyPrefix}${numericCnpj}:${hash('sha256', 'ttl', 'base64url')}`
  expect(await fleet.data.ttl(key)).toBeGreaterThan(110)
  expect(await fleet.data.ttl(key)).toBeLessThanOrEqual(120)
})

test('a limit that is set holds on every gateway, counts for all of them together, and ends when it is taken away', async () => {
  const token = await admin.newTenant(alphanumericCnpj)
  const [here, there] = gateways.map((gateway) => clientOf(gateway, token)) as [Client, Client]
  const setLimits = (limits: Record<string, unknown>) =>
    admin.graphql(
      'mutation ($cnpj: CNPJ!, $input: UpdateTenantInput!) { updateTenant(cnpj: $cnpj, input: $input) { cnpj } }',
      {
        ...{ cnpj: alphanumericCnpj, input: { limits } },
      },
    )
  const policy = async (client: Client) => (await client.post({})).headers.get('ratelimit-policy')
  expect(await policy(there)).toBeNull()
  await setLimits({ requestsPerSecond: 0.01, burst: 1_000 })
  await until(async () => (await policy(there)) === '"default";q=1000;w=100000', {
    what: 'the first limit',
  })

  await setLimits({ burst: 2 })
  await until(async () => (await policy(there)) === '"default";q=2;w=200', { what: 'the second limit' })
  const answers = [await here.post({}), await there.post({}), await here.post({})]
  expect(answers.at(-1)?.status).toBe(429)
  expect(answers.at(-1)?.body.error).toMatchObject({ code: 'RATE_LIMITED' })

  await setLimits({ requestsPerSecond: null, burst: null })
  await until(async () => (await there.post({})).status === 202, { what: 'no limit' })
  expect(await policy(there)).toBeNull()
})
