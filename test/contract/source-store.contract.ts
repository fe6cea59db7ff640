import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Stores } from '../../src/storage/open-stores.ts'
import type { StoredSource } from '../../src/tenants/sources/source.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const one = '00000000000191'
const other = '11222333000181'
const sourceRow = (id: string, part: Partial<StoredSource> = {}): StoredSource => ({
  ...{
    id,
    cnpj: one,
    name: `açaí ${id}`,
    scheme: 'github',
    options: {},
    secrets: 'v1.',
    createdAt: 1,
    lastUsedAt: null,
  },
  ...part,
})

/** What every SourceStore promises. `open` gives stores that are empty. */
export function sourceStoreContract(open: () => Promise<Stores>) {
  describe("tenants' sources", () => {
    let stores: Stores
    beforeAll(async () => {
      stores = await open()
      await stores.tenants.create(tenantRow(one), tokenRow(one, 'a'))
      await stores.tenants.create(tenantRow(other), tokenRow(other, 'b'))
    })
    afterAll(() => stores.close())

    const generic = sourceRow('s1', {
      ...{ scheme: 'hmac', createdAt: 1_800_000_000_000 },
      options: { header: 'x-signature', algorithm: 'sha512', encoding: 'hex', prefix: '' },
    })
    const earlier = sourceRow('s2')
    const others = sourceRow('s3', { cnpj: other })

    const asFirst = (source: StoredSource) => ({ ...source, secretsVersion: 0 })

    it('gives back what was created, alone, by tenant oldest first, and all by their ids', async () => {
      for (const source of [others, generic, earlier]) await stores.sources.create(source)
      expect(await stores.sources.byId('s1')).toEqual(generic)
      expect(await stores.sources.byId('nobody')).toBeNull()
      expect(await stores.sources.ofTenants([one])).toEqual([earlier, generic])
      expect(await stores.sources.all()).toEqual([generic, earlier, others].map(asFirst))
    })

    it('creates none for a tenant that is not there', async () => {
      const creating = stores.sources.create(sourceRow('s9', { cnpj: '99999999999999' }))
      await expect(creating).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
    })

    it('replaces the secrets of one', async () => {
      expect(await stores.sources.setSecrets('s1', 'v1.anew')).toBe(true)
      expect(await stores.sources.setSecrets('nobody', 'v1.anew')).toBe(false)
      const anew = { ...generic, secrets: 'v1.anew', secretsVersion: 1 }
      expect(await stores.sources.all()).toEqual([anew, asFirst(earlier), asFirst(others)])
    })

    it('replaces secrets of a version no more when they were replaced meanwhile', async () => {
      expect(await stores.sources.setSecrets('s1', 'v1.late', 0)).toBe(false)
      expect(await stores.sources.setSecrets('s1', 'v1.again', 1)).toBe(true)
      expect(await stores.sources.byId('s1')).toEqual({ ...generic, secrets: 'v1.again' })
    })

    it('gives the oldest sources of each of many tenants', async () => {
      const many = '19131243000197'
      await stores.tenants.create(tenantRow(many), tokenRow(many, 'many'))
      for (let at = 1; at <= 101; at++)
        await stores.sources.create(sourceRow(`of many ${at}`, { cnpj: many, createdAt: 1_000 + at }))
      const found = await stores.sources.ofTenants([many, other, many, '99999999999999'])
      expect(found).toHaveLength(101)
      expect(found.slice(0, 2).map(({ id }) => id)).toEqual(['s3', 'of many 1'])
      expect(found.at(-1)?.id).toBe('of many 100')
      expect(await stores.sources.ofTenants([])).toEqual([])
      await stores.tenants.remove(many)
    })

    it('remembers the last use of many at once, never an earlier one, as the last use of their tenants', async () => {
      await stores.sources.touch([
        { id: 's1', at: 50 },
        { id: 's3', at: 60 },
        { id: 'nobody', at: 70 },
      ])
      await stores.sources.touch([{ id: 's1', at: 40 }])
      await stores.sources.touch([])
      expect((await stores.sources.byId('s1'))?.lastUsedAt).toBe(50)
      expect((await stores.sources.byId('s2'))?.lastUsedAt).toBeNull()
      await stores.tenants.touchTokens([{ id: 'id of a', at: 45 }])
      await stores.tenants.touchTokens([{ id: 'id of b', at: 65 }])
      const uses = await stores.tenants.lastUses([one, other])
      expect(uses.sort((a, b) => a.at - b.at)).toEqual([
        { cnpj: one, at: 50 },
        { cnpj: other, at: 65 },
      ])
    })

    it('removes one alone, and those of a tenant with it', async () => {
      expect(await stores.sources.remove('s2')).toBe(true)
      expect(await stores.sources.remove('s2')).toBe(false)
      await stores.tenants.remove(one)
      expect(await stores.sources.all()).toEqual([asFirst({ ...others, lastUsedAt: 60 })])
    })
  })
}
