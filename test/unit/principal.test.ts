import { describe, expect, it } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { parseAccessWindow } from '../../src/tenants/access-window.ts'
import { authenticator, mayWrite } from '../../src/tenants/principal.ts'
import { parseAddressRanges } from '../../src/tenants/sender-addresses.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import type { TenantSettings } from '../../src/tenants/tenant-settings.ts'

const tenant: Tenant = {
  cnpj: '12ABC34501DE35',
  name: 'A',
  active: true,
  settings: {},
  createdAt: 1,
  updatedAt: 1,
}

function authenticate(token: string): Tenant | Promise<Tenant> {
  if (token === 'gnt_known') return tenant
  if (token === 'gnt_later') return Promise.resolve(tenant)
  if (token === 'gnt_gone') return Promise.reject(new GanchoError('UNAUTHENTICATED'))
  throw new GanchoError('TENANT_INACTIVE')
}
const admins = [
  { name: 'admin', access: 'full' as const, token: 'the-admin-token-1' },
  { name: 'board', access: 'read' as const, token: 'the-board-token-1' },
]
const asking = (authorization: string | undefined, remoteAddress = '192.0.2.7', forwardedFor?: string) => ({
  headers: {
    ...(authorization !== undefined && { authorization }),
    ...(forwardedFor !== undefined && { 'x-forwarded-for': forwardedFor }),
  },
  socket: { remoteAddress },
})
const authenticated = authenticator({ admins, directory: { authenticate } })
const principalOf = (header: string | undefined) => authenticated(asking(header))
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('an Authorization header', () => {
  it.each(['Bearer the-admin-token-1', 'bearer the-admin-token-1', 'BEARER   the-admin-token-1 '])(
    '%j is the administrator, at once',
    (header) => expect(principalOf(header)).toEqual({ kind: 'admin', name: 'admin', access: 'full' }),
  )

  it('with the token of a known tenant is that tenant, at once', () => {
    expect(principalOf('Bearer gnt_known')).toEqual({ kind: 'tenant', tenant })
  })

  it('with a token that must be looked up is a promise of its tenant, or of the refusal', async () => {
    const later = principalOf('Bearer gnt_later')
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toEqual({ kind: 'tenant', tenant })
    await expect(principalOf('Bearer gnt_gone')).rejects.toThrow(code('UNAUTHENTICATED'))
  })

  it('passes on why a tenant is refused', () => {
    expect(() => principalOf('Bearer gnt_off')).toThrow(code('TENANT_INACTIVE'))
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'the-admin-token-1',
    'Basic the-admin-token-1',
    'Bearer the-admin-token-1 x',
    'Bearer the-admin\ttoken',
    `Bearer ${'x'.repeat(513)}`,
    'Bearer ação',
  ])('%j is refused before anything is looked up', (header) => {
    expect(() => principalOf(header)).toThrow(code('UNAUTHENTICATED'))
  })
})

it('a read-only administrator may write nothing, a tenant and a full one may', () => {
  const board = principalOf('Bearer the-board-token-1')
  expect(board).toEqual({ kind: 'admin', name: 'board', access: 'read' })
  const [full, ofTenant] = [principalOf('Bearer the-admin-token-1'), principalOf('Bearer gnt_known')]
  const all = [board, full, ofTenant].map((one) => (one instanceof Promise ? undefined : mayWrite(one)))
  expect(all).toEqual([false, true, true])
})

describe('hours', () => {
  const text = 'Mon-Fri 08:00-18:00 America/Sao_Paulo'
  const [sunday, monday] = [Date.parse('2026-11-22T12:00:00.500Z'), Date.parse('2026-11-23T11:00Z')]
  const refused = expect.objectContaining({
    code: 'OUTSIDE_ACCESS_WINDOW',
    status: 403,
    retryAfterSeconds: 82_800,
    message: `This token is honoured ${text} only; the next opening is 2026-11-23T11:00:00.000Z.`,
    details: { accessWindow: text, nextOpening: '2026-11-23T11:00:00.000Z' },
  })

  it('of administrators close to all of them, with the next opening, and to no tenant', () => {
    let now = sunday
    const at = authenticator({
      ...{ admins, directory: { authenticate }, now: () => now },
      adminWindow: parseAccessWindow(text),
    })
    for (const { token } of admins) expect(() => at(asking(`Bearer ${token}`))).toThrow(refused)
    expect(at(asking('Bearer gnt_known'))).toEqual({ kind: 'tenant', tenant })
    expect(() => at(asking('Bearer'))).toThrow(code('UNAUTHENTICATED'))
    now = monday
    expect(at(asking('Bearer the-board-token-1'))).toMatchObject({ name: 'board' })
  })

  it.each(['at once', 'by a promise'])('of a tenant close to it alone, %s', async (way) => {
    let now = sunday
    const bound = { ...tenant, settings: { accessWindow: text } }
    const found = () => (way === 'at once' ? bound : Promise.resolve(bound))
    const at = authenticator({ admins, directory: { authenticate: found }, now: () => now })
    const ask = async () => at(asking('Bearer gnt_any'))
    await expect(ask()).rejects.toThrow(refused)
    expect(at(asking('Bearer the-admin-token-1'))).toMatchObject({ kind: 'admin' })
    now = monday
    expect(await ask()).toEqual({ kind: 'tenant', tenant: bound })
  })
})

describe('addresses', () => {
  const trustedProxies = parseAddressRanges(['10.0.0.0/8'])
  const from = (settings: TenantSettings) => {
    const directory = { authenticate: () => ({ ...tenant, settings }) }
    return authenticator({ admins, directory, trustedProxies })
  }
  const bound = from({ allowedAddresses: ['198.51.100.0/24', '192.0.2.7'] })

  it.each([
    ['192.0.2.7', undefined],
    ['198.51.100.200', '203.0.113.1'],
    ['10.0.0.1', '203.0.113.1, 192.0.2.7'],
  ])('on the list of a tenant are served: %s behind %s', (remote, forwarded) => {
    expect(bound(asking('Bearer gnt_any', remote, forwarded))).toMatchObject({ kind: 'tenant' })
  })

  it.each([
    ['192.0.2.8', undefined],
    ['192.0.2.8', '192.0.2.7'],
    ['10.0.0.1', '192.0.2.7, 203.0.113.1'],
    ['10.0.0.1', undefined],
  ])('not on it are refused: %s behind %s', (remote, forwarded) => {
    expect(() => bound(asking('Bearer gnt_any', remote, forwarded))).toThrow(code('ADDRESS_NOT_ALLOWED'))
  })

  it('do not matter without a list, and an empty one has none of them', () => {
    expect(from({})(asking('Bearer gnt_any', '203.0.113.1'))).toMatchObject({ kind: 'tenant' })
    expect(() => from({ allowedAddresses: [] })(asking('Bearer gnt_any'))).toThrow(
      code('ADDRESS_NOT_ALLOWED'),
    )
  })
})

it('a setting that cannot be read lets nobody in', () => {
  for (const settings of [{ accessWindow: 'always' }, { allowedAddresses: ['everywhere'] }]) {
    const broken = authenticator({ admins, directory: { authenticate: () => ({ ...tenant, settings }) } })
    expect(() => broken(asking('Bearer gnt_any'))).toThrow(code('INTERNAL'))
  }
})
