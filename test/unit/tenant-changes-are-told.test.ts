import { afterAll, beforeAll, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { tenantService } from '../../src/tenants/tenant-service.ts'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'

let stores: Awaited<ReturnType<typeof startTestStores>>
beforeAll(async () => {
  stores = await startTestStores()
})
afterAll(() => stores.close())

const cnpj = '11222333000181'
const told: string[] = []

/** Over a store whose answers are lost after the change is made. */
function service(losesAnswers: boolean) {
  const lost = new GanchoError('DATABASE_UNAVAILABLE')
  const store = new Proxy(stores.tenants, {
    get(target, name: keyof TenantStore) {
      const method = (target[name] as (...args: unknown[]) => Promise<unknown>).bind(target)
      const changes = ['update', 'addToken', 'revokeToken', 'remove'].includes(name)
      if (!losesAnswers || !changes) return method
      return async (...args: unknown[]) => {
        await method(...args)
        throw lost
      }
    },
  })
  return tenantService({
    store,
    directory: { invalidate: (one) => void told.push(one) },
    invalidation: { publish: async (one) => void told.push(one) },
    cipher: tokenCipher('a secret of these tests'),
    hashToken: tokenHashing('a secret of these tests'),
  })
}

test('a change whose answer was lost is told all the same, and so is its repeat', async () => {
  await service(false).createTenant({ cnpj, name: 'Padaria' })
  const [token] = await service(false).tokensOf(cnpj)
  const unsure = service(true)
  for (const change of [
    () => unsure.setTenantActive(cnpj, false),
    () => unsure.rotateToken(cnpj),
    () => unsure.revokeToken(cnpj, token?.id ?? ''),
    () => unsure.removeTenant(cnpj),
  ]) {
    told.splice(0)
    await expect(change()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(told).toEqual([cnpj, cnpj])
  }
  told.splice(0)
  await expect(service(false).removeTenant(cnpj)).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
  expect(told).toEqual([cnpj, cnpj])
})
