import { describe, expect, it } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { authenticator } from '../../src/tenants/principal.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'

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
const principalOf = authenticator({ adminToken: 'the-admin-token-1', directory: { authenticate } })
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('an Authorization header', () => {
  it.each(['Bearer the-admin-token-1', 'bearer the-admin-token-1', 'BEARER   the-admin-token-1 '])(
    '%j is the administrator, at once',
    (header) => expect(principalOf(header)).toEqual({ kind: 'admin' }),
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
