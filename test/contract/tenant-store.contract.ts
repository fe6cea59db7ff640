import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantRow, TenantStore } from '../../src/tenants/tenant-store.ts'

type Opened = { store: TenantStore; close(): Promise<void> }

const cnpjs = ['00000000000191', '11222333000181', '12ABC34501DE35', '54550752000155'] as const

function rowOf(cnpj: string): TenantRow {
  return {
    cnpj,
    name: `Açaí & Cia ${cnpj}`,
    active: true,
    createdAt: 1_800_000_000_000,
    updatedAt: 1_800_000_000_000,
    tokenHash: `hash of ${cnpj}`,
    encryptedToken: `v1.${cnpj}`,
  }
}

/** What every TenantStore promises. `open` gives a store that is empty. */
export function tenantStoreContract(open: () => Promise<Opened>) {
  describe('tenant store', () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
      for (const cnpj of cnpjs.toReversed()) await opened.store.create(rowOf(cnpj))
    })
    afterAll(() => opened.close())

    it('gives back what was created, by CNPJ and by token hash', async () => {
      const row = rowOf('12ABC34501DE35')
      expect(await opened.store.byCnpj(row.cnpj)).toEqual(row)
      expect(await opened.store.byTokenHash(row.tokenHash)).toEqual(row)
      expect(await opened.store.byCnpj('99999999999999')).toBeNull()
      expect(await opened.store.byTokenHash('nobody')).toBeNull()
    })

    it('refuses a second tenant with the same CNPJ and keeps the first', async () => {
      const again = { ...rowOf('00000000000191'), name: 'another', tokenHash: 'another' }
      await expect(opened.store.create(again)).rejects.toMatchObject({ code: 'TENANT_EXISTS' })
      expect(await opened.store.byCnpj('00000000000191')).toEqual(rowOf('00000000000191'))
    })

    it('leaves unknown CNPJs out of a batch, and tokens too', async () => {
      const found = await opened.store.byCnpjs(['54550752000155', '99999999999999', '00000000000191'])
      expect(found.map((tenant) => tenant.cnpj).sort()).toEqual(['00000000000191', '54550752000155'])
      expect(found[0]).not.toHaveProperty('tokenHash')
      expect(await opened.store.byCnpjs([])).toEqual([])
    })

    it.each([
      [{ limit: 10 }, [0, 1, 2, 3]],
      [{ limit: 2 }, [0, 1]],
      [{ limit: 2, after: cnpjs[1] }, [2, 3]],
      [{ limit: 2, after: cnpjs[3] }, []],
      [{ limit: 2, before: cnpjs[3] }, [0, 1]],
      [{ limit: 2, before: cnpjs[3], fromEnd: true }, [1, 2]],
      [{ limit: 2, fromEnd: true }, [2, 3]],
      [{ limit: 9, after: cnpjs[0], before: cnpjs[3], fromEnd: true }, [1, 2]],
    ])('cuts the page %j out of the list, in order of CNPJ', async (page, expected) => {
      const rows = await opened.store.list(page)
      expect(rows).toEqual(expected.map((at) => rowOf(cnpjs[at] ?? '')))
    })

    it('counts no further than asked', async () => {
      expect(await opened.store.count(3)).toBe(3)
      expect(await opened.store.count(100)).toBe(cnpjs.length)
    })

    it('switches a tenant off and on, with the time of the change', async () => {
      const off = await opened.store.setActive('11222333000181', false, 1_800_000_000_500)
      expect(off).toMatchObject({ active: false, updatedAt: 1_800_000_000_500, createdAt: 1_800_000_000_000 })
      expect((await opened.store.byCnpj('11222333000181'))?.active).toBe(false)
      expect(await opened.store.setActive('11222333000181', true, 1_800_000_000_000)).toMatchObject({
        active: true,
      })
      const unknown = opened.store.setActive('99999999999999', true, 0)
      await expect(unknown).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
    })

    it('removes a tenant once', async () => {
      await opened.store.create(rowOf('19131243000197'))
      expect(await opened.store.remove('19131243000197')).toBe(true)
      expect(await opened.store.remove('19131243000197')).toBe(false)
      expect(await opened.store.byTokenHash('hash of 19131243000197')).toBeNull()
    })
  })
}
