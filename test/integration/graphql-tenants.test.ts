import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const Update = graphql(`
  mutation UpdateTenant($cnpj: CNPJ!, $input: UpdateTenantInput!) {
    updateTenant(cnpj: $cnpj, input: $input) {
      name active settings { accessWindow allowedAddresses limits { requestsPerSecond burst maxBodyBytes } }
    }
  }
`)
const List = graphql(`
  query ListTenants($filter: TenantFilter, $first: Int, $last: Int, $after: String, $before: String) {
    tenants(filter: $filter, first: $first, last: $last, after: $after, before: $before) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { cnpj lastActivityAt } }
    }
  }
`)
const Rotate = graphql(`
  mutation RotateTenantToken($cnpj: CNPJ!, $overlapSeconds: Int, $name: String) {
    rotateTenantToken(cnpj: $cnpj, overlapSeconds: $overlapSeconds, name: $name) { token encryptedToken }
  }
`)
const Revoke = graphql(`
  mutation RevokeTenantToken($cnpj: CNPJ!, $id: ID!) { revokeTenantToken(cnpj: $cnpj, id: $id) { cnpj } }
`)
const Tokens = graphql(`
  query TenantTokens($cnpj: CNPJ!) {
    tenant(cnpj: $cnpj) { tokens { id name prefix createdAt expiresAt lastUsedAt revokedAt } }
  }
`)

let services: TestServices
let client: ReturnType<typeof graphqlClient>
let tenantClient: ReturnType<typeof graphqlClient>

beforeAll(async () => {
  services = await openTestServices()
  const yoga = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  client = graphqlClient(yoga, admin)
  tenantClient = graphqlClient(yoga, await newTenant(services.tenants, alphanumericCnpj, 'Padaria São João'))
  await newTenant(services.tenants, numericCnpj, 'Padaria Açaí')
  await services.tenants.createTenant({ cnpj: unusedCnpj, name: 'Farmácia', active: false })
})
afterAll(() => services.close())

const found = async (variables: object, of = client) => {
  const { tenants } = await of.data(List, variables)
  expect(tenants.totalCount).toBeGreaterThanOrEqual(tenants.edges.length)
  return tenants.edges.map(({ node }) => node.cnpj)
}

test('tenants are found by part of the name or the CNPJ, and by whether they are active', async () => {
  expect(await found({ filter: { text: 'sao joao' } })).toEqual([alphanumericCnpj])
  expect(await found({ filter: { text: 'PADARIA' } })).toEqual([numericCnpj, alphanumericCnpj])
  expect(await found({ filter: { text: '12abc' } })).toEqual([alphanumericCnpj])
  for (const text of ['12.ABC.345/01DE-35', ' 12.abc.345/01', '12.ABC.3'])
    expect(await found({ filter: { text } }), text).toEqual([alphanumericCnpj])
  expect(await found({ filter: { active: false } })).toEqual([unusedCnpj])
  expect(await found({ filter: { text: 'padaria', active: false } })).toEqual([])
  expect((await client.data(List, { filter: { text: 'padaria' } })).tenants.totalCount).toBe(2)
})

test('names and searches have 200 characters at most', async () => {
  const [fits, long] = ['ç'.repeat(200), 'ç'.repeat(201)]
  expect(await found({ filter: { text: `${fits} ` } })).toEqual([])
  expect(await client.codes(List, { filter: { text: long } })).toEqual(['BAD_REQUEST'])
  expect(await tenantClient.codes(List, { filter: { text: long } })).toEqual(['BAD_REQUEST'])
  expect(await client.codes(Update, { cnpj: unusedCnpj, input: { name: long } })).toEqual(['BAD_REQUEST'])
  expect(await client.codes(Rotate, { cnpj: unusedCnpj, name: long })).toEqual(['BAD_REQUEST'])
  const creating = (name: string) => services.tenants.createTenant({ cnpj: '19131243000197', name })
  await expect(creating(long)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  expect((await creating(fits)).tenant.name).toBe(fits)
  expect(await found({ filter: { text: fits.toUpperCase() } })).toEqual(['19131243000197'])
  await services.tenants.removeTenant('19131243000197')
})

test('filtered tenants page both ways from a cursor', async () => {
  const filter = { text: 'padaria' }
  const first = (await client.data(List, { filter, first: 1 })).tenants
  expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false })
  expect(await found({ filter, first: 1, after: first.pageInfo.endCursor })).toEqual([alphanumericCnpj])
  const last = (await client.data(List, { filter, last: 1 })).tenants
  expect(last.edges.map(({ node }) => node.cnpj)).toEqual([alphanumericCnpj])
  expect(last.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true })
  expect(await found({ filter, last: 5, before: last.pageInfo.startCursor })).toEqual([numericCnpj])
})

test('a tenant shows when it was last active', async () => {
  const [token] = await services.tenants.tokensOf([numericCnpj])
  await services.stores.tenants.touchTokens([{ id: token?.id ?? '', at: 1_800_000_000_000 }])
  const { tenants } = await client.data(List, { filter: { text: 'padaria' } })
  expect(tenants.edges.map(({ node }) => node)).toEqual([
    { cnpj: numericCnpj, lastActivityAt: '2027-01-15T08:00:00.000Z' },
    { cnpj: alphanumericCnpj, lastActivityAt: null },
  ])
})

test('a tenant finds itself alone', async () => {
  expect(await found({}, tenantClient)).toEqual([alphanumericCnpj])
  expect(await found({ filter: { text: 'padaria', active: true } }, tenantClient)).toEqual([alphanumericCnpj])
  expect(await found({ filter: { text: 'açaí' } }, tenantClient)).toEqual([])
  expect(await found({ filter: { active: false } }, tenantClient)).toEqual([])
})

test('an update changes what is named, and null takes a setting away', async () => {
  const update = async (input: object) =>
    (await client.data(Update, { cnpj: unusedCnpj, input })).updateTenant
  const accessWindow = 'Mon-Fri 08:00-18:00 America/Sao_Paulo'
  const limits = { requestsPerSecond: 2.5, burst: 10, maxBodyBytes: null }
  expect(
    await update({
      accessWindow,
      allowedAddresses: ['10.0.0.0/8'],
      limits: { requestsPerSecond: 2.5, burst: 10 },
    }),
  ).toEqual({
    ...{ name: 'Farmácia', active: false },
    settings: { accessWindow, allowedAddresses: ['10.0.0.0/8'], limits },
  })
  expect(
    await update({ name: ' Drogaria ', active: true, allowedAddresses: null, limits: { burst: null } }),
  ).toEqual({
    ...{ name: 'Drogaria', active: true },
    settings: { accessWindow, allowedAddresses: null, limits: { ...limits, burst: null } },
  })
  expect((await services.directory.find(unusedCnpj))?.settings).toEqual({
    accessWindow,
    limits: { requestsPerSecond: 2.5 },
  })
})

test.each([
  [{ name: ' ' }],
  [{ accessWindow: 'whenever' }],
  [{ allowedAddresses: ['10.0.0.0/8', 'here'] }],
  [{ limits: { burst: 0 } }],
  [{ limits: { requestsPerSecond: -1 } }],
])('an update with %j is refused, and changes nothing', async (input) => {
  const before = await services.tenants.findTenant(numericCnpj)
  expect(await client.codes(Update, { cnpj: numericCnpj, input })).toEqual(['BAD_REQUEST'])
  expect(await services.tenants.findTenant(numericCnpj)).toEqual(before)
})

test('a rotated token ends after its overlap, and all are shown without what would let anyone use them', async () => {
  const at = Date.now()
  const { rotateTenantToken } = await client.data(Rotate, {
    cnpj: numericCnpj,
    overlapSeconds: 60,
    name: 'from May',
  })
  expect(await services.directory.authenticate(rotateTenantToken.token)).toMatchObject({ cnpj: numericCnpj })
  expect(services.cipher.decrypt(rotateTenantToken.encryptedToken)).toBe(rotateTenantToken.token)
  const [newest, oldest] = (await client.data(Tokens, { cnpj: numericCnpj })).tenant?.tokens ?? []
  expect(newest).toMatchObject({ name: 'from May', expiresAt: null, revokedAt: null, lastUsedAt: null })
  expect(rotateTenantToken.token.slice(0, 8)).toBe(newest?.prefix)
  expect(oldest?.name).toBe('first')
  expect(Date.parse(oldest?.expiresAt ?? '') - at).toBeGreaterThanOrEqual(60_000)

  await client.data(Revoke, { cnpj: numericCnpj, id: newest?.id ?? '' })
  const refused = (async () => services.directory.authenticate(rotateTenantToken.token))()
  await expect(refused).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  const [revoked] = (await client.data(Tokens, { cnpj: numericCnpj })).tenant?.tokens ?? []
  expect(Date.parse(revoked?.revokedAt ?? '')).toBeGreaterThanOrEqual(at)
})

test('what is not there, or not allowed, is refused', async () => {
  const missing = '19131243000197'
  expect(await client.codes(Rotate, { cnpj: missing })).toEqual(['TENANT_NOT_FOUND'])
  expect(await client.codes(Update, { cnpj: missing, input: { name: 'x' } })).toEqual(['TENANT_NOT_FOUND'])
  expect(await client.codes(Revoke, { cnpj: numericCnpj, id: 'x' })).toEqual(['TOKEN_NOT_FOUND'])
  for (const overlapSeconds of [-1, 2_592_001])
    expect(await client.codes(Rotate, { cnpj: numericCnpj, overlapSeconds })).toEqual(['BAD_REQUEST'])
  const cnpj = alphanumericCnpj
  for (const refused of [
    tenantClient.codes(Rotate, { cnpj }),
    tenantClient.codes(Update, { cnpj, input: { name: 'x' } }),
    tenantClient.codes(Revoke, { cnpj, id: 'x' }),
    tenantClient.codes(Tokens, { cnpj }),
  ])
    expect(await refused).toEqual(['FORBIDDEN'])
})
