import { afterAll, beforeAll, expect, test } from 'vitest'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import { tenantService } from '../../src/tenants/tenant-service.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'

const secret = 'a secret of these tests'
const hashToken = tokenHashing(secret)
let stores: Awaited<ReturnType<typeof startTestStores>>
beforeAll(async () => {
  stores = await startTestStores()
})
afterAll(() => stores.close())

test('an error that nobody foresaw is an outage too: who is known is served, others get 503', async () => {
  let broken = false
  const store = new Proxy(stores.tenants, {
    get: (target, name: 'byTokenHash') => {
      if (broken) return () => Promise.reject(new Error('ORA-99999: never heard of'))
      return target[name].bind(target)
    },
  })
  let now = 1_000
  const directory = new TenantDirectory({ store, hashToken, ttlMs: 1_000, now: () => now })
  const service = tenantService({
    ...{ store: stores.tenants, directory, cipher: tokenCipher(secret), hashToken },
    invalidation: { publish: async () => undefined },
  })
  const { token } = await service.createTenant({ cnpj: '11222333000181', name: 'Padaria' })
  expect(await directory.authenticate(token)).toMatchObject({ name: 'Padaria' })
  broken = true
  now += 10_000
  expect(await directory.authenticate(token)).toMatchObject({ name: 'Padaria' })
  await expect((async () => directory.authenticate(`${token}x`))()).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
  })
})
