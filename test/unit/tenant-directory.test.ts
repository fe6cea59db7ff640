import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Stores } from '../../src/storage/open-stores.ts'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { CountedTenantStore } from '../support/counted-store.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const hashToken = tokenHashing('secret')
const cnpj = '12ABC34501DE35'
const token = 'gnt_one'

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('the tenant directory', () => {
  let stores: Stores
  let store: CountedTenantStore
  let directory: TenantDirectory
  let time: number

  beforeEach(async () => {
    stores = await startTestStores()
    onTestFinished(() => stores.close())
    store = new CountedTenantStore(stores.tenants)
    time = 1_000
    const now = () => time
    directory = new TenantDirectory({
      store,
      hashToken,
      now,
      ttlMs: 300,
      retryMs: 50,
      unknownMs: 30,
      maxUnknown: 3,
      patienceMs: 60_000,
    })
    await add(cnpj, token)
  })

  async function add(of: string, withToken: string, active = true) {
    await stores.tenants.create(tenantRow(of, { active }), tokenRow(of, hashToken(withToken)))
  }
  /** The code of what `authenticate` throws, at once or later, or the CNPJ of the tenant. */
  async function outcome(ofToken = token): Promise<string> {
    try {
      return (await directory.authenticate(ofToken)).cnpj
    } catch (error) {
      return (error as { code: string }).code
    }
  }

  it('answers at once, without a promise, for a token it knows', async () => {
    expect(directory.authenticate(token)).toBeInstanceOf(Promise)
    expect(await outcome()).toBe(cnpj)
    expect(directory.authenticate(token)).toEqual(tenantRow(cnpj))
  })

  it('knows all active tenants after loading, however many pages they fill', async () => {
    const others = Array.from({ length: 1_100 }, (_, index) => `T${String(index).padStart(13, '0')}`)
    await Promise.all(others.map((other) => add(other, `token of ${other}`)))
    await directory.load()
    for (const other of others)
      expect(directory.authenticate(`token of ${other}`)).toMatchObject({ cnpj: other })
    expect(store.lookUps).toBe(0)
  })

  it('knows all active tenants after loading, also when one changes while they are read', async () => {
    await add('00000000000191', 'changing')
    const usableTokens = stores.tenants.usableTokens.bind(stores.tenants)
    stores.tenants.usableTokens = async (page) => {
      const found = await usableTokens(page)
      if (page.cnpj !== undefined) return found
      await stores.tenants.update('00000000000191', { active: false }, 2)
      directory.invalidate('00000000000191')
      return found
    }
    await directory.load()
    expect(directory.authenticate(token)).toMatchObject({ cnpj })
    expect(await outcome('changing')).toBe('TENANT_INACTIVE')
  })

  it('asks the store once for many who wait for the same token', async () => {
    const release = store.hold()
    const waiting = Array.from({ length: 100 }, () => outcome())
    release()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([cnpj]))
    expect(store.lookUps).toBe(1)
  })

  it('remembers an unknown token for a while', async () => {
    expect(await outcome('wrong')).toBe('UNAUTHENTICATED')
    expect(() => directory.authenticate('wrong')).toThrow(code('UNAUTHENTICATED'))
    expect(store.lookUps).toBe(1)
    time += 30
    expect(await outcome('wrong')).toBe('UNAUTHENTICATED')
    expect(store.lookUps).toBe(2)
  })

  it('remembers no more unknown tokens than it may, and forgets the oldest', async () => {
    for (const wrong of ['a', 'b', 'c', 'd']) await outcome(wrong)
    for (const wrong of ['b', 'c', 'd']) expect(() => directory.authenticate(wrong)).toThrow()
    expect(store.lookUps).toBe(4)
    await outcome('a')
    expect(store.lookUps).toBe(5)
  })

  it('refuses an inactive tenant with a code of its own', async () => {
    await add('00000000000191', 'asleep', false)
    expect(await outcome('asleep')).toBe('TENANT_INACTIVE')
    expect(() => directory.authenticate('asleep')).toThrow(code('TENANT_INACTIVE'))
    expect(await directory.find('00000000000191')).toMatchObject({ active: false })
  })

  it('finds by CNPJ, and answers null for a CNPJ that nobody has', async () => {
    expect(await directory.find(cnpj)).toMatchObject({ cnpj })
    expect(await directory.find('00000000000191')).toBeNull()
  })

  it('reads a tenant again when its time is up, behind an answer that does not wait', async () => {
    await outcome()
    await stores.tenants.update(cnpj, { active: false }, 2)
    time += 299
    expect(await outcome()).toBe(cnpj)
    expect(store.lookUps).toBe(1)
    time += 1
    expect(directory.authenticate(token)).toMatchObject({ active: true })
    await expect.poll(() => outcome()).toBe('TENANT_INACTIVE')
    expect(store.lookUps).toBe(2)
  })

  it('reads a tenant before the answer when its time was up long ago', async () => {
    await outcome()
    await stores.tenants.remove(cnpj)
    time += 600
    expect(await outcome()).toBe('UNAUTHENTICATED')
    expect(await directory.find(cnpj)).toBeNull()
    expect(directory.status()).toEqual({ tenants: 0, staleSince: null })
  })

  it.each([cnpj, '*'])(
    'reads a tenant again before its next use after the invalidation of %s',
    async (what) => {
      await outcome()
      await stores.tenants.update(cnpj, { active: false }, 2)
      directory.invalidate(what)
      expect(await outcome()).toBe('TENANT_INACTIVE')
    },
  )

  it('asks again for an unknown token when some tenants may have changed', async () => {
    expect(await outcome('new')).toBe('UNAUTHENTICATED')
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('new')))
    directory.invalidate('*')
    expect(await outcome('new')).toBe(cnpj)
  })

  it('does not remember as unknown what came while it was looked for', async () => {
    const release = store.hold()
    const early = outcome('new')
    await store.hasRead()
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('new')))
    await stores.tenants.update(cnpj, { active: false }, 2)
    directory.invalidate(cnpj)
    store.pass()
    release()
    expect(await early).toBe('UNAUTHENTICATED')
    expect(await outcome('new')).toBe('TENANT_INACTIVE')
  })

  it('does not keep what was read before an invalidation that came meanwhile', async () => {
    const release = store.hold()
    const early = directory.authenticate(token)
    await store.hasRead()
    await stores.tenants.update(cnpj, { active: false }, 2)
    directory.invalidate(cnpj)
    store.pass()
    expect(await outcome()).toBe('TENANT_INACTIVE')
    release()
    expect(await early).toMatchObject({ active: true })
    expect(await outcome()).toBe('TENANT_INACTIVE')
  })

  describe('while the database is down', () => {
    beforeEach(async () => {
      await outcome()
      await add('00000000000191', 'never seen')
      await stores.close()
    })

    it('serves known tenants beyond their time, asking again only now and then', async () => {
      time += 10_000
      store.lookUps = 0
      expect(await outcome()).toBe(cnpj)
      time += 49
      expect(directory.authenticate(token)).toMatchObject({ cnpj })
      expect(store.lookUps).toBe(1)
      time += 1
      expect(await outcome()).toBe(cnpj)
      expect(store.lookUps).toBe(2)
    })

    it('answers "unavailable" and not "unauthenticated" for tokens it does not know, and remembers none of them', async () => {
      for (const unknown of ['never seen', 'never seen', 'wrong'])
        expect(await outcome(unknown)).toBe('DATABASE_UNAVAILABLE')
      await expect(directory.find('00000000000191')).rejects.toThrow(code('DATABASE_UNAVAILABLE'))
    })

    it('serves all on when some may have changed, but not the one that has', async () => {
      directory.invalidate('*')
      expect(await outcome()).toBe(cnpj)
      directory.invalidate(cnpj)
      expect(await outcome()).toBe('DATABASE_UNAVAILABLE')
    })
  })
})
