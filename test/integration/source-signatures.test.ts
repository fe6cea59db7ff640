import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { clientOf } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

type Headers = Record<string, string>
type Sign = (body: string, secret: string, seconds: number) => Headers

let fleet: Fleet
let gateways: GanchoProcess[]
let admin: ReturnType<typeof clientOf>

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
  gateways = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  admin = (await clientsOf(gateways[0] as GanchoProcess)).admin
})
afterAll(() => fleet.close())

const body = '{"order": 7,  "name":"açaí"}'
const now = () => Math.floor(Date.now() / 1_000)

async function createSource(
  scheme: string,
  secrets: string[],
  options: Headers = {},
  cnpj = numericCnpj,
): Promise<string> {
  const { createSource } = await admin.graphql<{ createSource: { id: string; path: string } }>(
    'mutation ($cnpj: CNPJ!, $input: CreateSourceInput!) { createSource(cnpj: $cnpj, input: $input) { id path } }',
    { cnpj, input: { name: scheme, scheme, secrets, ...options } },
  )
  expect(createSource.path).toBe(`/webhook/${createSource.id}`)
  return createSource.id
}

async function post(id: string, headers: Headers, text = body, at = 0) {
  const response = await fetch(`${gateways[at]?.origin}/webhook/${id}`, {
    ...{ method: 'POST', body: text },
    headers: { 'content-type': 'application/json', ...headers },
  })
  const answer = (await response.json()) as { id?: string; error?: { code: string } }
  return [response.status, answer.error?.code ?? answer.id]
}
const accepted = [202, expect.stringMatching(/^ID-\d+$/)]
const refused = [401, 'INVALID_SIGNATURE']

const standardSecrets = ['old', 'new'].map(
  (which) => `whsec_${Buffer.from(`${which} standard webhooks key`.padEnd(32, '.')).toString('base64')}`,
)
const plainSecrets = ['old-secret-of-the-sender', 'new-secret-of-the-sender']

let messages = 0
const standard: Sign = (text, secret, seconds) => {
  const id = `msg_${++messages}`
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${text}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1a,other v1,${signature}`,
  }
}
const github: Sign = (text, secret) => ({
  'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`,
})
const stripe: Sign = (text, secret, seconds) => ({
  'Stripe-Signature': `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${text}`).digest('hex')},v0=00`,
})
const shopify: Sign = (text, secret) => ({
  'X-Shopify-Hmac-Sha256': createHmac('sha256', secret).update(text).digest('base64'),
})
const generic: Sign = (text, secret) => ({
  'X-Signature': `v0:${createHmac('sha512', secret).update(text).digest('base64')}`,
})
const genericOptions = { header: 'X-Signature', algorithm: 'sha512', encoding: 'base64', prefix: 'v0:' }

describe.each([
  ['STANDARD_WEBHOOKS', standard, standardSecrets, {}],
  ['GITHUB', github, plainSecrets, {}],
  ['STRIPE', stripe, plainSecrets, {}],
  ['SHOPIFY', shopify, plainSecrets, {}],
  ['HMAC', generic, plainSecrets, genericOptions],
] as const)('%s', (scheme, sign, [older = '', newer = ''], options) => {
  test('takes what any of its secrets signed, and nothing else', async () => {
    const id = await createSource(scheme, [older, newer], options)
    expect(await post(id, sign(body, older, now()))).toEqual(accepted)
    expect(await post(id, sign(body, newer, now()))).toEqual(accepted)
    expect(await post(id, sign(body, newer, now()), body.replace('7', '8'))).toEqual(refused)
    expect(await post(id, sign(body, newer, now()), body.replace('  ', ' '))).toEqual(refused)
    expect(await post(id, {})).toEqual(refused)
    expect(await post(id, sign(body, `${newer.slice(0, -6)}AAAAAA`, now()))).toEqual(refused)
  })
})

test('who signs wrongly is not asked for a token', async () => {
  const id = await createSource('GITHUB', ['a-secret-of-the-sender'])
  const response = await fetch(`${gateways[0]?.origin}/webhook/${id}`, { method: 'POST', body })
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, null])
})

test.each([
  ['STANDARD_WEBHOOKS', standard, standardSecrets],
  ['STRIPE', stripe, plainSecrets],
] as const)('%s refuses a time more than five minutes from now', async (scheme, sign, [secret = '']) => {
  const id = await createSource(scheme, [secret])
  for (const seconds of [-310, 310])
    expect(await post(id, sign(body, secret, now() + seconds))).toEqual(refused)
  for (const seconds of [-280, 280])
    expect(await post(id, sign(body, secret, now() + seconds))).toEqual(accepted)
})

test('a replay of Standard Webhooks gets the first answer, whatever key is put beside the signed one', async () => {
  const [secret = ''] = standardSecrets
  const id = await createSource('STANDARD_WEBHOOKS', [secret])
  const headers = standard(body, secret, now())
  const first = await post(id, headers)
  expect(first).toEqual(accepted)
  expect(await post(id, { ...headers, 'idempotency-key': 'another' })).toEqual(first)
})

test('replaced secrets, a deleted source and an inactive tenant are noticed by every instance', async () => {
  const [older = '', newer = ''] = plainSecrets
  const id = await createSource('GITHUB', [older])
  const byOther = () => post(id, github(body, older, 0), body, 1)
  const bodyByOther = () => post(id, github(body, newer, 0), body, 1)
  expect(await byOther()).toEqual(accepted)
  await admin.graphql(
    'mutation ($id: ID!, $secrets: [String!]!) { setSourceSecrets(id: $id, secrets: $secrets) { id } }',
    { id, secrets: [newer] },
  )
  await expect.poll(byOther).toEqual(refused)
  expect(await bodyByOther()).toEqual(accepted)

  const setActive = (active: boolean) =>
    admin.call('PATCH', `/admin/clientes/${numericCnpj}?active=${active}`)
  await setActive(false)
  await expect.poll(bodyByOther).toEqual([403, 'TENANT_INACTIVE'])
  await setActive(true)
  await expect.poll(bodyByOther).toEqual(accepted)

  await admin.graphql('mutation ($id: ID!) { deleteSource(id: $id) }', { id })
  await expect.poll(bodyByOther).toEqual([404, 'SOURCE_NOT_FOUND'])
  expect(await post(id, github(body, newer, 0))).toEqual([404, 'SOURCE_NOT_FOUND'])
  expect(await post('src_nobody', github(body, newer, 0))).toEqual([404, 'SOURCE_NOT_FOUND'])
})

test('addresses and limits of the tenant hold for its sources, and other methods are refused', async () => {
  const [secret = ''] = plainSecrets
  const id = await createSource('SHOPIFY', [secret])
  const send = () => post(id, shopify(body, secret, 0))
  const update = (input: object) =>
    admin.graphql(
      'mutation ($cnpj: CNPJ!, $input: UpdateTenantInput!) { updateTenant(cnpj: $cnpj, input: $input) { cnpj } }',
      { cnpj: numericCnpj, input },
    )
  await update({ allowedAddresses: ['192.0.2.1'] })
  expect(await send()).toEqual([403, 'ADDRESS_NOT_ALLOWED'])
  await update({ allowedAddresses: null, limits: { maxBodyBytes: 5 } })
  expect(await send()).toEqual([413, 'BODY_TOO_LARGE'])
  const hour = (from: number) => `${String((new Date().getUTCHours() + from) % 24).padStart(2, '0')}:00`
  await update({ limits: null, accessWindow: `Mon-Sun ${hour(6)}-${hour(7)} UTC` })
  expect(await send()).toEqual([403, 'OUTSIDE_ACCESS_WINDOW'])
  await update({ accessWindow: null, limits: { requestsPerSecond: 0.001, burst: 2 } })
  expect([await send(), await send(), await send()]).toEqual([accepted, accepted, [429, 'RATE_LIMITED']])
  await update({ limits: null })
  expect(await send()).toEqual(accepted)
  expect((await admin.call('GET', `/webhook/${id}`)).status).toBe(405)
})

test('administrators see sources without their secrets, and forms that are wrong are refused', async () => {
  await createSource('HMAC', plainSecrets, genericOptions)
  const answer = await admin.graphql(
    `query ($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { sources { id name scheme header algorithm encoding prefix } } }`,
    { cnpj: numericCnpj },
  )
  expect(answer).toMatchObject({
    tenant: { sources: expect.arrayContaining([expect.objectContaining({ scheme: 'HMAC', prefix: 'v0:' })]) },
  })
  expect(JSON.stringify(answer)).not.toContain('secret-of-the-sender')
  const bad = (scheme: string, secrets: string[], options = {}) =>
    expect(createSource(scheme, secrets, options)).rejects.toThrow('BAD_REQUEST')
  await bad('STANDARD_WEBHOOKS', ['whsec_short'])
  await bad('GITHUB', [])
  await bad('GITHUB', plainSecrets, { header: 'x-signature' })
  await bad('HMAC', plainSecrets)
  await bad('HMAC', plainSecrets, { ...genericOptions, algorithm: 'md5' })
})

test('the use of a source is known as its last, and as the last activity of its tenant', async () => {
  const [secret = ''] = plainSecrets
  const since = Date.now()
  const cnpj = alphanumericCnpj
  await admin.newTenant(cnpj)
  const [used, unused] = [
    await createSource('GITHUB', [secret], {}, cnpj),
    await createSource('GITHUB', [secret], {}, cnpj),
  ]
  expect(await post(used, github(body, secret, 0), body, 1)).toEqual(accepted)
  expect(await post(unused, github(body, 'another-secret', 0), body, 1)).toEqual(refused)
  // What was used is written when a process stops, if not before.
  await gateways[1]?.stop()
  type Shown = { tenant: { lastActivityAt: string; sources: { id: string; lastUsedAt: string | null }[] } }
  const query = 'query ($cnpj: CNPJ!) { tenant(cnpj: $cnpj) { lastActivityAt sources { id lastUsedAt } } }'
  const { tenant } = await admin.graphql<Shown>(query, { cnpj })
  expect(Date.parse(tenant.lastActivityAt)).toBeGreaterThanOrEqual(since)
  expect(new Map(tenant.sources.map(({ id, lastUsedAt }) => [id, lastUsedAt]))).toEqual(
    new Map([
      [used, tenant.lastActivityAt],
      [unused, null],
    ]),
  )
})
