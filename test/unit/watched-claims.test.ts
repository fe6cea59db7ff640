import { expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { WatchedClaims } from '../../src/http/watched-claims.ts'
import { parseAccessWindow } from '../../src/tenants/access-window.ts'
import { type Admitted, identities } from '../../src/tenants/identity.ts'
import { authenticator, type Principal } from '../../src/tenants/principal.ts'
import { parseAddressRanges } from '../../src/tenants/sender-addresses.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'

const cnpj = '11222333000181'
const tenant: Tenant = { cnpj, name: 'T', active: true, settings: {}, createdAt: 0, updatedAt: 0 }
const recheckMs = 60_000

/** Tenants that are answered for as a test says, at the time that it says. */
function world(options: { settings?: Tenant['settings']; adminWindow?: string; expiresAt?: number } = {}) {
  const state = {
    at: Date.parse('2026-11-23T12:00:00Z'),
    asked: 0,
    answer: (): Tenant | Promise<Tenant> => ({ ...tenant, settings: options.settings ?? {} }),
  }
  const token = { id: 'token', expiresAt: options.expiresAt ?? null }
  const access = {
    admins: [{ name: 'admin', access: 'full' as const, token: 'gadm_0123456789abcdef' }],
    adminWindow: options.adminWindow ? parseAccessWindow(options.adminWindow) : undefined,
    trustedProxies: parseAddressRanges(['127.0.0.1']),
    now: () => state.at,
    directory: {
      authenticate: () => state.answer(),
      authenticateById: () => {
        state.asked++
        return state.answer()
      },
      tokenOf: () => token,
      tokenById: () => token,
    },
  }
  const known = identities({ ...access, authenticate: authenticator(access) })
  const claims = new WatchedClaims({ identities: known, now: () => state.at, recheckMs, retryMs: 5_000 })
  const ended: string[] = []
  const watcher = { end: ({ code }: GanchoError) => ended.push(code) }
  const admit = (authorization: string) =>
    known.ofRequest({ headers: { authorization }, socket: { remoteAddress: '127.0.0.1' } })
  /** Lets what was asked be answered. */
  const tick = async () => {
    claims.tick()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { state, known, claims, ended, watcher, admit, tick }
}

const byTenant = 'Bearer gnt_any'
const refusing = (error: GanchoError) => () => {
  throw error
}

test('streams end when the hours of their tenant are over, and not before', async () => {
  const { state, claims, ended, watcher, admit, tick } = world({
    settings: { accessWindow: 'Mon-Sun 08:00-12:10 UTC' },
  })
  claims.add(await admit(byTenant), watcher)
  state.at = Date.parse('2026-11-23T12:09:59Z')
  await tick()
  expect(ended).toEqual([])
  state.at = Date.parse('2026-11-23T12:10:00Z')
  await tick()
  expect(ended).toEqual(['OUTSIDE_ACCESS_WINDOW'])
})

test('so do those of administrators', async () => {
  const { state, claims, ended, watcher, admit, tick } = world({ adminWindow: 'Mon-Sun 08:00-12:10 UTC' })
  claims.add(await admit('Bearer gadm_0123456789abcdef'), watcher)
  await tick()
  expect(ended).toEqual([])
  state.at = Date.parse('2026-11-23T12:10:00Z')
  await tick()
  expect(ended).toEqual(['OUTSIDE_ACCESS_WINDOW'])
})

test('who cannot be asked about stays, and is asked about again soon', async () => {
  const { state, claims, ended, watcher, admit, tick } = world()
  claims.add(await admit(byTenant), watcher)
  state.answer = refusing(new GanchoError('DATABASE_UNAVAILABLE'))
  claims.tenantChanged(cnpj)
  await tick()
  expect([state.asked, ended]).toEqual([1, []])
  state.answer = refusing(new GanchoError('TENANT_INACTIVE'))
  await tick()
  expect(state.asked).toBe(1)
  state.at += 5_000
  await tick()
  expect(ended).toEqual(['TENANT_INACTIVE'])
})

test('a change that nobody was told of is found by the next regular question', async () => {
  const { state, claims, ended, watcher, admit, tick } = world()
  claims.add(await admit(byTenant), watcher)
  state.answer = refusing(new GanchoError('UNAUTHENTICATED'))
  state.at += recheckMs / 2 - 1
  await tick()
  expect(ended).toEqual([])
  state.at += recheckMs / 2 + 1
  await tick()
  expect(ended).toEqual(['UNAUTHENTICATED'])
})

test('lost messages have all tenants asked about within seconds', async () => {
  const { state, claims, ended, watcher, admit, tick } = world()
  claims.add(await admit(byTenant), watcher)
  state.answer = refusing(new GanchoError('UNAUTHENTICATED'))
  claims.tenantChanged('*')
  state.at += 2_000
  await tick()
  expect(ended).toEqual(['UNAUTHENTICATED'])
})

test('one question answers for all streams of the same claim, and none is asked for another tenant', async () => {
  const { state, claims, ended, watcher, admit, tick } = world()
  for (let n = 0; n < 100; n++) claims.add(await admit(byTenant), { ...watcher })
  claims.tenantChanged('00000000000191')
  await tick()
  expect(state.asked).toBe(0)
  state.answer = refusing(new GanchoError('UNAUTHENTICATED'))
  claims.tenantChanged(cnpj)
  await tick()
  expect([state.asked, ended.length]).toEqual([1, 100])
})

test('a change that comes while the answer is on its way is asked about again', async () => {
  const { state, claims, ended, watcher, admit, tick } = world()
  claims.add(await admit(byTenant), watcher)
  const early = Promise.withResolvers<Tenant>()
  state.answer = () => early.promise
  claims.tenantChanged(cnpj)
  state.answer = refusing(new GanchoError('UNAUTHENTICATED'))
  claims.tenantChanged(cnpj)
  early.resolve(tenant)
  await tick()
  expect([state.asked, ended]).toEqual([2, ['UNAUTHENTICATED']])
})

test('nothing is asked for streams that are over', async () => {
  const { state, claims, watcher, admit, tick } = world()
  const admitted: Admitted = await admit(byTenant)
  const stop = [claims.add(admitted, { ...watcher }), claims.add(admitted, { ...watcher })]
  for (const one of stop) one()
  claims.tenantChanged(cnpj)
  state.at += recheckMs
  await tick()
  expect(state.asked).toBe(0)
})

test('a principal that was admitted is the one that its token stands for', async () => {
  const { admit } = world()
  const expected: Principal = { kind: 'tenant', tenant }
  expect(await admit(byTenant)).toMatchObject({
    claim: { identity: { kind: 'tenant', cnpj, tokenId: 'token' } },
    principal: expected,
  })
})

test('who came through a proxy is asked about with the address that it came from', async () => {
  const { known, state } = world({ settings: { allowedAddresses: ['10.0.0.7'] } })
  const headers = { authorization: byTenant, 'x-forwarded-for': '10.0.0.7' }
  const { claim } = await known.ofRequest({ headers, socket: { remoteAddress: '127.0.0.1' } })
  expect(known.ask(claim)).toMatchObject({ kind: 'tenant' })
  state.answer = () => ({ ...tenant, settings: { allowedAddresses: ['10.0.0.8'] } })
  expect(() => known.ask(claim)).toThrow(expect.objectContaining({ code: 'ADDRESS_NOT_ALLOWED' }))
})
