import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newSigningSecret } from '../../src/delivery/destination-secrets.ts'
import { clientOf, until } from '../support/client.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { startTestRedis } from '../support/redis.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

const Create = /* GraphQL */ `
  mutation ($cnpj: CNPJ!, $url: String!) {
    createDestination(input: { cnpj: $cnpj, name: "Shop", url: $url }) { destination { id } signingSecret }
  }
`
const LookAt = /* GraphQL */ `query ($id: ID!) { job(id: $id) { status attemptCount failure { reason error } } }`
const LookAtDestination = /* GraphQL */ `
  query ($id: ID!) { destination(id: $id) { active disabledReason disabledAt } }
`
type Disabled = { destination: { active: boolean } }
type Created = { createDestination: { destination: { id: string }; signingSecret: string } }
type Seen = {
  job: { status: string; attemptCount: number; failure: { reason: string; error: string } | null }
}

const secret = newSigningSecret()
const closing: (() => Promise<unknown>)[] = []
let nifi: Receiver
let shared: ReturnType<typeof sharedEnvironment>
let gancho: GanchoProcess
let admin: ReturnType<typeof clientOf>
let shopToken: string

beforeAll(async () => {
  const redis = await startTestRedis()
  nifi = await startReceiver((response, { path }) => response.writeHead(path === '/gone' ? 410 : 200).end())
  shared = sharedEnvironment(redis.url, `http://ana:pass-word@localhost:${nifi.port}/`)
  closing.push(redis.stop, nifi.close, shared.remove)
  gancho = await startGancho({ env: { ...shared.env, DESTINATION_SECRET: secret } })
  closing.push(gancho.kill9)
  admin = clientOf(gancho)
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

const finished = (id: string) => {
  let seen: Seen['job'] | undefined
  const check = async () => {
    seen = (await admin.graphql<Seen>(LookAt, { id })).job
    return ['DELIVERED', 'FAILED'].includes(seen.status) && seen
  }
  return until(check, { what: () => `${id} is over, last seen as ${JSON.stringify(seen)}` })
}

test("the environment's destination may be anywhere, and gets its requests signed, with the password of its URL", async () => {
  shopToken = await admin.newTenant(alphanumericCnpj)
  const id = await clientOf(gancho, shopToken).postJob({ order: 7 })
  expect(await finished(id)).toMatchObject({ status: 'DELIVERED' })
  const [received] = nifi.received
  expect(received?.headers.authorization).toBe(`Basic ${Buffer.from('ana:pass-word').toString('base64')}`)
  const headers = received?.headers as Record<string, string>
  expect(new Webhook(secret).verify(received?.body ?? '', headers)).toEqual({ order: 7 })
  expect(gancho.output()).not.toContain('pass-word')
})

test('what is made over GraphQL may not be inside, neither by its address nor by its name, not even at the same origin', async () => {
  const token = await admin.newTenant(numericCnpj)
  const create = (url: string) => admin.graphql<Created>(Create, { cnpj: numericCnpj, url })
  await expect(create(nifi.url)).rejects.toThrow('DESTINATION_NOT_ALLOWED')
  await create(`http://localhost:${nifi.port}/nifi-api`)
  const before = nifi.received.length
  const id = await clientOf(gancho, token).postJob({ order: 8 })
  expect(await finished(id)).toEqual({
    ...{ status: 'FAILED', attemptCount: 1 },
    failure: {
      reason: 'DESTINATION_NOT_ALLOWED',
      error: 'DESTINATION_NOT_ALLOWED localhost is at an address that deliveries may not go to',
    },
  })
  expect(nifi.received).toHaveLength(before)

  const second = await startGancho({ env: { ...shared.env, ALLOWED_CIDRS: '127.0.0.0/8, ::1' } })
  closing.push(second.kill9)
  await gancho.stop()
  gancho = second
  admin = clientOf(gancho)
  await admin.call('POST', '/nifi/falha/nifi')
  expect(await finished(id)).toMatchObject({ status: 'DELIVERED', attemptCount: 2 })
  expect(nifi.received.at(-1)).toMatchObject({ path: '/nifi-api' })
  expect(nifi.received.at(-1)?.headers).not.toHaveProperty('authorization')
})

test('a destination that answers 410 is put out of service, and says why', async () => {
  const created = await admin.graphql<Created>(Create, { cnpj: alphanumericCnpj, url: `${nifi.url}gone` })
  const { id: destination } = created.createDestination.destination
  const id = await clientOf(gancho, shopToken).postJob({ order: 9 })
  expect(await finished(id)).toMatchObject({ status: 'FAILED', failure: { reason: 'FINAL_STATUS' } })
  const state = () => admin.graphql<Disabled>(LookAtDestination, { id: destination })
  await until(async () => !(await state()).destination.active, { what: 'out of service' })
  expect(await state()).toEqual({
    destination: { active: false, disabledReason: 'it answered 410 Gone', disabledAt: expect.any(String) },
  })
  expect(nifi.received.filter(({ path }) => path === '/gone')).toHaveLength(1)
})
