import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { adminTenantRoutes } from '../../src/rest/admin-tenants.ts'
import type { Route, RouteAnswer } from '../../src/rest/route.ts'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import { tenantService } from '../../src/tenants/tenant-service.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'

const cnpj = '12ABC34501DE35'
const cipher = tokenCipher('secret')
const one = '/admin/clientes/:cnpj'
const all = '/admin/clientes'

describe('the administration of tenants over REST', () => {
  let routes: Route[]
  let directory: TenantDirectory
  let told: string[]

  beforeEach(async () => {
    const { tenants: store, close } = await startTestStores()
    onTestFinished(close)
    const hashToken = tokenHashing('secret')
    told = []
    directory = new TenantDirectory({ store, hashToken })
    const publish = async (changed: string) => void told.push(changed)
    const now = () => 1_800_000_000_000
    const deps = { store, directory, invalidation: { publish }, cipher, hashToken, now }
    routes = adminTenantRoutes({ tenants: tenantService(deps) })
  })

  type Asked = { body?: unknown; query?: string; cnpj?: string }
  async function ask(method: string, path: string, { body, query = '', cnpj: param }: Asked = {}) {
    const route = routes.find((candidate) => candidate.method === method && candidate.path === path)
    const answer = await route?.handle({
      method,
      params: param === undefined ? {} : { cnpj: param },
      query: new URLSearchParams(query),
      headers: {},
      principal: { kind: 'admin', name: 'admin', access: 'full' },
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      signal: new AbortController().signal,
      requestId: 'r-1',
    })
    return answer as RouteAnswer & { body: Record<string, unknown> }
  }
  const create = (body: unknown) => ask('POST', all, { body })
  const refusedAs = (code: string) => expect.objectContaining({ code })

  it('is for administrators alone', () => {
    expect(routes).toHaveLength(5)
    expect(new Set(routes.map((route) => route.access))).toEqual(new Set(['admin']))
  })

  it('creates a tenant whose token works at once and is stored only encrypted', async () => {
    const { status, body } = await create({ cnpj: '12.abc.345/01de-35', name: ' Açaí & Cia ' })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      cnpj,
      name: 'Açaí & Cia',
      active: true,
      createdAt: '2027-01-15T08:00:00.000Z',
    })
    expect(cipher.decrypt(String(body.encryptedToken))).toBe(body.token)
    expect(await directory.authenticate(String(body.token))).toMatchObject({ cnpj })
    expect(told).toEqual([cnpj])
  })

  it('refuses a second tenant with the same CNPJ', async () => {
    await create({ cnpj, name: 'A' })
    await expect(create({ cnpj, name: 'B' })).rejects.toThrow(refusedAs('TENANT_EXISTS'))
  })

  it.each([
    [{ cnpj, name: ' ' }, 'BAD_REQUEST'],
    [{ cnpj, name: 'x'.repeat(201) }, 'BAD_REQUEST'],
    [{ cnpj, name: 7 }, 'BAD_REQUEST'],
    [{ name: 'A' }, 'BAD_REQUEST'],
    [{ cnpj, name: 'A', active: 'yes' }, 'BAD_REQUEST'],
    [[], 'BAD_REQUEST'],
    [{ cnpj: '12ABC34501DE36', name: 'A' }, 'INVALID_CNPJ'],
    [undefined, 'INVALID_JSON'],
  ])('refuses %j as %s', async (body, code) => {
    await expect(create(body)).rejects.toThrow(refusedAs(code))
    expect((await ask('GET', all)).body).toEqual({ clientes: [], next: null })
  })

  it('shows a tenant without its token', async () => {
    await create({ cnpj, name: 'A', active: false })
    const { status, body } = await ask('GET', one, { cnpj: '12.ABC.345/01DE-35' })
    expect(status).toBe(200)
    expect(Object.keys(body).sort()).toEqual(['active', 'cnpj', 'createdAt', 'name', 'settings', 'updatedAt'])
    expect(body.active).toBe(false)
    await expect(ask('GET', one, { cnpj: '54550752000155' })).rejects.toThrow(refusedAs('TENANT_NOT_FOUND'))
    await expect(ask('GET', one, { cnpj: 'x' })).rejects.toThrow(refusedAs('INVALID_CNPJ'))
  })

  it('lists by CNPJ, page by page', async () => {
    for (const of of [cnpj, '54550752000155', '11222333000181']) await create({ cnpj: of, name: of })
    const first = await ask('GET', all, { query: 'limit=2' })
    expect(first.body.clientes).toMatchObject([{ cnpj: '11222333000181' }, { cnpj }])
    expect(first.body.next).toBe(cnpj)
    const second = await ask('GET', all, { query: `limit=2&after=${first.body.next}` })
    expect(second.body).toMatchObject({ clientes: [{ cnpj: '54550752000155' }], next: null })
    for (const query of ['limit=0', 'limit=x', 'limit=201', 'limit=1.5', 'limit='])
      await expect(ask('GET', all, { query })).rejects.toThrow(refusedAs('BAD_REQUEST'))
  })

  it('switches a tenant off and on, with effect on its next request', async () => {
    const { body } = await create({ cnpj, name: 'A' })
    const token = String(body.token)
    await directory.authenticate(token)
    expect((await ask('PATCH', one, { cnpj, query: 'active=false' })).body).toMatchObject({
      cnpj,
      active: false,
    })
    await expect(directory.authenticate(token)).rejects.toThrow(refusedAs('TENANT_INACTIVE'))
    await ask('PATCH', one, { cnpj, query: 'active=true' })
    expect(await directory.authenticate(token)).toMatchObject({ cnpj })
    expect(told).toEqual([cnpj, cnpj, cnpj])
  })

  it.each(['', 'active=', 'active=yes', 'active=TRUE'])('refuses to switch with %j', async (query) => {
    await create({ cnpj, name: 'A' })
    await expect(ask('PATCH', one, { cnpj, query })).rejects.toThrow(refusedAs('BAD_REQUEST'))
  })

  it('removes a tenant, whose token no longer works', async () => {
    const { body } = await create({ cnpj, name: 'A' })
    await directory.authenticate(String(body.token))
    expect(await ask('DELETE', one, { cnpj })).toEqual({ status: 204 })
    await expect(directory.authenticate(String(body.token))).rejects.toThrow(refusedAs('UNAUTHENTICATED'))
    await expect(ask('DELETE', one, { cnpj })).rejects.toThrow(refusedAs('TENANT_NOT_FOUND'))
    await expect(ask('PATCH', one, { cnpj, query: 'active=true' })).rejects.toThrow(
      refusedAs('TENANT_NOT_FOUND'),
    )
  })
})
