import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { numericCnpj } from '../support/tenants.ts'

type Client = ReturnType<typeof clientOf>
type Refusal = { code: string; message: string; details?: { nextOpening: string } }

const boardToken = 'gadm_board-0123456789'
const opsToken = 'gadm_ops-0123456789'
const dayMs = 86_400_000
/** The whole of the day after tomorrow, in UTC. */
const opensAt = (Math.floor(Date.now() / dayMs) + 2) * dayMs
const closedWindow = `${new Date(opensAt).toUTCString().slice(0, 3)} 00:00-24:00 UTC`

let fleet: Fleet
let admin: Client
let ops: Client
let board: Client
let tenant: Client
/** The same, at a gateway behind no proxy whose administrators have hours. */
let adminInHours: Client
let boardInHours: Client
let tenantDirect: Client

beforeAll(async () => {
  const tokens = `ops:full:${opsToken},board:read:${boardToken}`
  fleet = await openFleet({ answer: (response) => response.end(), env: { ADMIN_TOKENS: tokens } })
  const [behindProxy, inHours] = await Promise.all([
    fleet.start('gateway', { TRUSTED_PROXIES: '127.0.0.0/8' }),
    fleet.start('gateway', { ADMIN_ACCESS_WINDOW: closedWindow }),
  ])
  const clients = await clientsOf(behindProxy)
  admin = clients.admin
  tenant = clients.tenant
  ops = clientOf(behindProxy, opsToken)
  board = clientOf(behindProxy, boardToken)
  adminInHours = clientOf(inHours)
  boardInHours = clientOf(inHours, boardToken)
  tenantDirect = clientOf(inHours, clients.token)
})
afterAll(() => fleet.close())

const errorOf = ({ body }: { body: Record<string, unknown> }) => body.error as Refusal
const set = (settings: Record<string, unknown>) =>
  admin.graphql(
    'mutation ($cnpj: CNPJ!, $input: UpdateTenantInput!) { updateTenant(cnpj: $cnpj, input: $input) { cnpj } }',
    {
      cnpj: numericCnpj,
      input: settings,
    },
  )
const viewer = '{ viewer { kind name access } }'

/** 403 with the moment at which it opens, in all the ways that a client may look at. */
function expectOutside(answer: Awaited<ReturnType<Client['call']>>) {
  const opening = new Date(opensAt).toISOString()
  const { code, message, details } = errorOf(answer)
  expect([answer.status, code, details?.nextOpening]).toEqual([403, 'OUTSIDE_ACCESS_WINDOW', opening])
  expect(message).toContain(opening)
  const secondsAway = (opensAt - Date.now()) / 1_000
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(secondsAway)
  expect(Number(answer.headers.get('retry-after'))).toBeLessThan(secondsAway + 60)
}

describe('administrators', () => {
  test('are told who they are', async () => {
    expect(await admin.graphql(viewer)).toEqual({ viewer: { kind: 'ADMIN', name: 'admin', access: 'FULL' } })
    expect(await ops.graphql(viewer)).toEqual({ viewer: { kind: 'ADMIN', name: 'ops', access: 'FULL' } })
    expect(await board.graphql(viewer)).toEqual({ viewer: { kind: 'ADMIN', name: 'board', access: 'READ' } })
    expect(await tenant.graphql(viewer)).toEqual({ viewer: { kind: 'TENANT', name: 'Test', access: 'FULL' } })
  })

  test('that may only read see everything', async () => {
    expect((await board.call('GET', '/admin/clientes')).status).toBe(200)
    const { tenants } = await board.graphql<{ tenants: { edges: object[] } }>(
      '{ tenants(first: 5) { edges { node { cnpj } } } }',
    )
    expect(tenants.edges).toEqual([{ node: { cnpj: numericCnpj } }])
  })

  test.each([
    ['POST', '/admin/clientes', { cnpj: '00000000000191', name: 'New' }],
    ['PATCH', `/admin/clientes/${numericCnpj}?active=false`, undefined],
    ['DELETE', `/admin/clientes/${numericCnpj}`, undefined],
    ['POST', '/nifi/falha/nifi', { ids: ['ID-1'] }],
    ['POST', '/webhook', { a: 1 }],
  ])('that may only read cannot %s %s', async (method, path, body) => {
    const answer = await board.call(method, path, body)
    expect([answer.status, errorOf(answer).code]).toEqual([403, 'FORBIDDEN'])
    expect((await board.call('GET', `/admin/clientes/${numericCnpj}`)).body.active).toBe(true)
  })

  test('that may only read can send no mutation, be it hidden among queries or open to tenants', async () => {
    const codesOf = async (client: Client, query: string) => {
      const { body } = await client.call('POST', '/graphql', { query })
      return ((body.errors ?? []) as { extensions: Refusal }[]).map(({ extensions }) => extensions.code)
    }
    const off = `mutation { setTenantActive(cnpj: "${numericCnpj}", active: false) { cnpj } }`
    expect(await codesOf(board, off)).toEqual(['FORBIDDEN'])
    expect(await codesOf(board, 'mutation { ... on Mutation { discardJob(id: "ID-1") { id } } }')).toEqual([
      'FORBIDDEN',
    ])
    expect(await codesOf(ops, 'mutation { discardJob(id: "ID-1") { id } }')).toEqual(['JOB_NOT_FOUND'])
    expect((await board.call('GET', `/admin/clientes/${numericCnpj}`)).body.active).toBe(true)
  })

  test('outside their hours are refused over REST and GraphQL, while tenants are served', async () => {
    expectOutside(await adminInHours.call('GET', '/admin/clientes'))
    expectOutside(await boardInHours.call('POST', '/graphql', { query: viewer }))
    expect(await tenantDirect.graphql(viewer)).toMatchObject({ viewer: { kind: 'TENANT' } })
  })
})

describe('a tenant', () => {
  test('outside its hours is refused wherever it asks, and served as soon as they are changed', async () => {
    await set({ accessWindow: closedWindow })
    expectOutside(await tenant.post({ a: 1 }))
    expectOutside(await tenant.call('POST', '/graphql', { query: viewer }))
    expectOutside(await tenant.call('POST', '/nifi/falha/nifi', { ids: ['ID-1'] }))
    await set({ accessWindow: 'Mon-Sun 00:00-24:00 America/Sao_Paulo' })
    expect((await tenant.post({ a: 1 })).status).toBe(202)
    await set({ accessWindow: null })
    expect((await tenant.post({ a: 1 })).status).toBe(202)
  })

  test('with a list of addresses is served from these alone, as a trusted proxy tells them', async () => {
    await set({ allowedAddresses: ['192.0.2.0/24'] })
    const statusFrom = async (client: Client, forwardedFor: string) =>
      (await client.post({ a: 1 }, { 'x-forwarded-for': forwardedFor })).status
    expect(await statusFrom(tenant, '192.0.2.7')).toBe(202)
    expect(await statusFrom(tenant, '203.0.113.1, 192.0.2.7, 127.0.0.9')).toBe(202)
    expect(await statusFrom(tenant, '192.0.2.7, 203.0.113.1')).toBe(403)
    expect(errorOf(await tenant.post({ a: 1 })).code).toBe('ADDRESS_NOT_ALLOWED')
    await set({ allowedAddresses: null })
    expect((await tenant.post({ a: 1 })).status).toBe(202)
  })

  test('cannot choose its address where no proxy is trusted', async () => {
    await set({ allowedAddresses: ['192.0.2.0/24'] })
    // The other gateway hears of it a moment later.
    const refused = await until(async () => {
      const answer = await tenantDirect.post({ a: 1 }, { 'x-forwarded-for': '192.0.2.7' })
      return answer.status === 403 && answer
    })
    expect([refused.status, errorOf(refused).code]).toEqual([403, 'ADDRESS_NOT_ALLOWED'])
    await set({ allowedAddresses: null })
  })

  test.each([
    [{ accessWindow: 'Mon-Fri 8-18 UTC' }, '"8-18" are no hours'],
    [{ allowedAddresses: ['10.0.0.0/8', 'office'] }, '"office" is neither an address nor a range'],
  ])('gets no settings that cannot be read: %j', async (settings, reason) => {
    await expect(set(settings)).rejects.toThrow(reason.replaceAll('"', '\\"'))
  })
})
