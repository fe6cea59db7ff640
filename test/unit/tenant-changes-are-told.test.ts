import { afterAll, beforeAll, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { sourceService } from '../../src/tenants/sources/source-service.ts'
import { tenantService } from '../../src/tenants/tenant-service.ts'
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

const lost = new GanchoError('DATABASE_UNAVAILABLE')
const changes = ['create', 'update', 'addToken', 'revokeToken', 'remove', 'setSecrets']

/** A store whose answers are lost after the change is made. */
function losing<Store extends object>(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target)
      if (!changes.includes(String(name))) return method
      return async (...args: unknown[]) => {
        await method(...args)
        throw lost
      }
    },
  })
}

const telling = {
  directory: { invalidate: (one: string) => void told.push(one) },
  invalidation: { publish: async (one: string) => void told.push(one) },
  cipher: tokenCipher('a secret of these tests'),
}
function service(losesAnswers: boolean) {
  const store = losesAnswers ? losing(stores.tenants) : stores.tenants
  return tenantService({ ...telling, store, hashToken: tokenHashing('a secret of these tests') })
}
function sources(losesAnswers: boolean) {
  return sourceService({ ...telling, store: losesAnswers ? losing(stores.sources) : stores.sources })
}

test('a change whose answer was lost is told all the same, and so is its repeat', async () => {
  await service(false).createTenant({ cnpj, name: 'Padaria' })
  const [token] = await service(false).tokensOf([cnpj])
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

test('so is a change of a source', async () => {
  await service(false).createTenant({ cnpj, name: 'Padaria' })
  const input = { name: 'Shop', scheme: 'github', secrets: ['a-secret-of-the-sender'], options: {} } as const
  const { id } = await sources(false).createSource(cnpj, input)
  const unsure = sources(true)
  for (const change of [
    () => unsure.createSource(cnpj, input),
    () => unsure.setSourceSecrets(id, ['another-secret']),
    () => unsure.deleteSource(id),
  ]) {
    told.splice(0)
    await expect(change()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(told).toEqual([cnpj, cnpj])
  }
})
