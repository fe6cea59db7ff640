import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Stores } from '../../src/storage/open-stores.ts'
import { resealSources } from '../../src/tenants/sources/reseal-sources.ts'
import { tenantService } from '../../src/tenants/tenant-service.ts'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const cnpj = '11222333000181'
const secret = 'a secret of these tests'
let stores: Stores

beforeEach(async () => {
  stores = await startTestStores()
  onTestFinished(() => stores.close())
  await stores.tenants.create(tenantRow(cnpj), tokenRow(cnpj, 'a'))
})

const serviceOver = (store: TenantStore) =>
  tenantService({
    ...{ store, cipher: tokenCipher(secret), hashToken: tokenHashing(secret), now: () => 5 },
    directory: { invalidate: () => undefined },
    invalidation: { publish: async () => undefined },
  })

/** Has two that read settings at the same time have them before either writes. */
function readingTogether(store: TenantStore, readers: number): TenantStore {
  const all = Promise.withResolvers<void>()
  let waiting = 0
  return new Proxy(store, {
    get(target, name: keyof TenantStore) {
      if (name !== 'settings') return (target[name] as (...args: never[]) => unknown).bind(target)
      return async (of: string) => {
        const found = await target.settings(of)
        if (++waiting === readers) all.resolve()
        await all.promise
        return found
      }
    },
  })
}

test('two administrators who change one tenant at the same moment both have their way', async () => {
  const service = serviceOver(readingTogether(stores.tenants, 2))
  await Promise.all([
    service.updateTenant(cnpj, { settings: { accessWindow: 'Mon-Fri 08:00-18:00 UTC' } }),
    service.updateTenant(cnpj, { settings: { limits: { burst: 7 } }, name: 'Padaria' }),
  ])
  expect(await stores.tenants.byCnpj(cnpj)).toMatchObject({
    name: 'Padaria',
    settings: { accessWindow: 'Mon-Fri 08:00-18:00 UTC', limits: { burst: 7 } },
  })
})

test('24 changes of one tenant at the same moment are all made', async () => {
  const names = ['requestsPerSecond', 'burst', 'maxBodyBytes', 'waitingReplies', 'subscriptions'] as const
  const store = readingTogether(stores.tenants, 24)
  // Two instances, whose changes wait for nothing but the database.
  const services = [serviceOver(store), serviceOver(store)]
  const change = (at: number) => {
    const limits = { [names[at % names.length] ?? '']: 1_000 + at }
    const settings = at < names.length ? { limits } : { limits: { burst: 1_001 } }
    return services[at % 2]?.updateTenant(cnpj, { settings })
  }
  await Promise.all(Array.from({ length: 24 }, (_, at) => change(at)))
  const changed = await stores.tenants.settings(cnpj)
  const limits = Object.fromEntries(names.map((name, at) => [name, 1_000 + at]))
  expect(changed).toEqual({ settings: { limits }, version: 24 })
})

test('who is always overtaken is told so', async () => {
  let overtaken = 0
  const store = new Proxy(stores.tenants, {
    get(target, name: keyof TenantStore) {
      if (name !== 'settings') return (target[name] as (...args: never[]) => unknown).bind(target)
      return async (of: string) => {
        const found = await target.settings(of)
        if (!found) return null
        const settings = { limits: { burst: ++overtaken } }
        await target.update(of, { settings: { ...found, settings } }, 6)
        return found
      }
    },
  })
  const change = serviceOver(store).updateTenant(cnpj, { settings: { accessWindow: null }, name: 'lost' })
  await expect(change).rejects.toMatchObject({ code: 'TENANT_CHANGED', status: 409 })
  expect(overtaken).toBe(10)
  expect(await stores.tenants.byCnpj(cnpj)).toMatchObject({
    name: `name of ${cnpj}`,
    settings: { limits: { burst: 10 } },
  })
})

test('secrets that are replaced while all are encrypted anew stay replaced', async () => {
  const [newest, older] = [tokenCipher('the newest secret', secret), tokenCipher(secret)]
  const { sources } = stores
  const source = {
    ...{ id: 's', cnpj, name: 's', options: {}, createdAt: 1, lastUsedAt: null },
    scheme: 'github',
  } as const
  await sources.create({ ...source, secrets: older.encrypt('["old"]') })
  const overtaken = {
    setSecrets: sources.setSecrets.bind(sources),
    async all() {
      const found = await sources.all()
      await sources.setSecrets('s', newest.encrypt('["new"]'))
      return found
    },
  }
  expect(await resealSources(overtaken, newest)).toEqual({ resealed: [], unreadable: [] })
  expect(newest.decrypt((await sources.byId('s'))?.secrets ?? '')).toBe('["new"]')
})
