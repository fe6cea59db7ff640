import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { adminToken, type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { numericCnpj as cnpj } from '../support/tenants.ts'

type Created = { token: string; tenant: { tokens: Token[] } }
type Token = { id: string; prefix: string; expiresAt: string | null; lastUsedAt: string | null }

const rotate = `mutation ($cnpj: CNPJ!, $overlapSeconds: Int) {
  rotateTenantToken(cnpj: $cnpj, overlapSeconds: $overlapSeconds) {
    token tenant { tokens { id prefix expiresAt lastUsedAt } }
  }
}`
const revoke = `mutation ($cnpj: CNPJ!, $id: ID!) { revokeTenantToken(cnpj: $cnpj, id: $id) { cnpj } }`
const tokens = `query ($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { tokens { id prefix expiresAt lastUsedAt } } }`

let redis: TestRedis
let shared: ReturnType<typeof sharedEnvironment>
let one: GanchoProcess
let other: GanchoProcess

beforeAll(async () => {
  redis = await startTestRedis()
  shared = sharedEnvironment(redis.url, 'http://127.0.0.1:9/')
  one = await startGancho({ env: shared.env })
  other = await startGancho({ env: { ...shared.env, ROLE: 'gateway' } })
})
afterAll(async () => {
  await Promise.all([one.kill9(), other.kill9()])
  await redis.stop()
  await shared.remove()
})

const statusAt = async (instance: GanchoProcess, token: string) =>
  (await clientOf(instance, token).postPatiently({ a: 1 })).status

test('a token that was rotated or revoked at one process ends at the other by itself', async () => {
  const admin = clientOf(one)
  const first = await admin.newTenant(cnpj)
  expect([await statusAt(other, first), await statusAt(one, first)]).toEqual([202, 202])

  const overlapping = (
    await admin.graphql<{ rotateTenantToken: Created }>(rotate, { cnpj, overlapSeconds: 3_600 })
  ).rotateTenantToken
  expect(await statusAt(other, overlapping.token)).toBe(202)
  expect(await statusAt(other, first)).toBe(202)
  const old = overlapping.tenant.tokens.find(({ prefix }) => first.startsWith(prefix))
  expect(Date.parse(old?.expiresAt ?? '')).toBeGreaterThan(Date.now() + 3_500_000)

  await admin.graphql(revoke, { cnpj, id: old?.id })
  await until(async () => (await statusAt(other, first)) === 401, { what: 'revocation' })
  expect(await statusAt(one, first)).toBe(401)
  expect(await statusAt(other, overlapping.token)).toBe(202)

  const { token } = (await admin.graphql<{ rotateTenantToken: Created }>(rotate, { cnpj })).rotateTenantToken
  await until(async () => (await statusAt(other, overlapping.token)) === 401, { what: 'rotation' })
  expect([await statusAt(other, token), await statusAt(one, token)]).toEqual([202, 202])
})

test('a new tenant is served by an instance that is flooded with bad tokens', async () => {
  let flooding = true
  let busy = 0
  const flood = async (which: number) => {
    for (let at = 0; flooding; at++) if ((await statusAt(other, `bad-${which}-${at}`)) === 503) busy++
  }
  const floods = Array.from({ length: 16 }, (_, which) => flood(which))
  try {
    await until(() => busy > 0, { what: 'more bad tokens than are looked up' })
    const token = await clientOf(one).newTenant('00000000000191')
    const before = busy
    await until(async () => (await statusAt(other, token)) === 202, { what: 'first use' })
    await until(() => busy > before, { what: 'the flood goes on' })
  } finally {
    flooding = false
    await Promise.all(floods)
  }
})

test('tokens outlive a change of the secret, and the command lets go of the old one', async () => {
  const { rotateTenantToken } = await clientOf(one).graphql<{ rotateTenantToken: Created }>(rotate, { cnpj })
  const { token } = rotateTenantToken
  const newer = 'a newer secret for tests'
  const both = { ...shared.env, ENCRYPTION_SECRET: `${newer},${shared.env.ENCRYPTION_SECRET}` }
  await other.stop()
  other = await startGancho({ env: { ...both, ROLE: 'gateway' } })
  expect(await statusAt(other, token)).toBe(202)

  const command = fileURLToPath(new URL('../../script/reencrypt.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', command], {
    env: { PATH: process.env.PATH ?? '', ...both, ADMIN_TOKEN: adminToken },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  // By then all that it printed is here.
  expect(await once(child, 'close')).toEqual([0, null])
  expect(printed).toBe(
    '5 tokens are encrypted anew, 0 were already.\nThe secrets of 0 sources are encrypted anew.\nThe secrets of 0 destinations are encrypted anew.\n',
  )

  await other.stop()
  other = await startGancho({ env: { ...shared.env, ENCRYPTION_SECRET: newer, ROLE: 'gateway' } })
  expect(await statusAt(other, token)).toBe(202)
  // What was used was written when the process stopped.
  await other.stop()
  const { tenant } = await clientOf(one).graphql<{ tenant: { tokens: Token[] } }>(tokens, { cnpj })
  const used = tenant.tokens.find(({ prefix }) => token.startsWith(prefix))
  expect(Date.parse(used?.lastUsedAt ?? '')).toBeGreaterThan(Date.now() - 60_000)
})
