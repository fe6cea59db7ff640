import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'
import { tenantTokensContract } from './tenant-tokens.contract.ts'

type Opened = { store: TenantStore; close(): Promise<void> }

const cnpjs = ['00000000000191', '11222333000181', '12ABC34501DE35', '54550752000155'] as const
const nobody = '99999999999999'

const rowOf = (cnpj: string) =>
  tenantRow(cnpj, {
    name: `Açaí & Cia ${cnpj}`,
    settings: { accessWindow: 'Mon-Fri 08:00-18:00 America/Sao_Paulo', limits: { requestsPerSecond: 2.5 } },
    createdAt: 1_800_000_000_000,
    updatedAt: 1_800_000_000_000,
  })

/** What every TenantStore promises. `open` gives a store that is empty. */
export function tenantStoreContract(open: () => Promise<Opened>) {
  describe('tenant store', () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
      for (const cnpj of cnpjs.toReversed())
        await opened.store.create(rowOf(cnpj), tokenRow(cnpj, `hash of ${cnpj}`))
    })
    afterAll(() => opened.close())

    it('gives back what was created', async () => {
      expect(await opened.store.byCnpj('12ABC34501DE35')).toEqual(rowOf('12ABC34501DE35'))
      expect(await opened.store.byCnpj(nobody)).toBeNull()
    })

    it('refuses a second tenant with the same CNPJ, or with the same token, and keeps the first', async () => {
      const again = { ...rowOf('00000000000191'), name: 'another' }
      const refused = expect.objectContaining({ code: 'TENANT_EXISTS' })
      await expect(opened.store.create(again, tokenRow(again.cnpj, 'another'))).rejects.toEqual(refused)
      const sameToken = opened.store.create(rowOf(nobody), tokenRow(nobody, 'hash of 00000000000191'))
      await expect(sameToken).rejects.toEqual(refused)
      expect(await opened.store.byCnpj('00000000000191')).toEqual(rowOf('00000000000191'))
      expect(await opened.store.byCnpj(nobody)).toBeNull()
      expect(await opened.store.byTokenHash('another')).toBeNull()
    })

    it('leaves unknown CNPJs out of a batch', async () => {
      const found = await opened.store.byCnpjs(['54550752000155', nobody, '00000000000191'])
      expect(found.map((tenant) => tenant.cnpj).sort()).toEqual(['00000000000191', '54550752000155'])
      expect(await opened.store.byCnpjs([])).toEqual([])
    })

    it('reads a batch of any size', async () => {
      const many = Array.from({ length: 33_000 }, (_, i) => `99${String(i).padStart(12, '0')}`)
      const found = await opened.store.byCnpjs([
        '54550752000155',
        ...many,
        '00000000000191',
        '54550752000155',
      ])
      expect(found.map((tenant) => tenant.cnpj)).toEqual(['54550752000155', '00000000000191'])
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
      [{ limit: 9, filter: { text: 'ACAI & cia' } }, [0, 1, 2, 3]],
      [{ limit: 9, filter: { text: ' 12abc345 ' } }, [2]],
      [{ limit: 2, filter: { text: 'açaí' }, fromEnd: true }, [2, 3]],
      [{ limit: 9, filter: { text: '%' } }, []],
      [{ limit: 9, filter: { text: 'açaí', active: false } }, []],
      [{ limit: 1, after: cnpjs[1], filter: { active: true } }, [2]],
      [{ limit: 9, filter: { text: '  ' } }, [0, 1, 2, 3]],
    ])('cuts the page %j out of the list, in order of CNPJ', async (page, expected) => {
      const rows = await opened.store.list(page)
      expect(rows).toEqual(expected.map((at) => rowOf(cnpjs[at] ?? '')))
    })

    it('counts no further than asked, and what a filter leaves', async () => {
      expect(await opened.store.count(3)).toBe(3)
      expect(await opened.store.count(100)).toBe(cnpjs.length)
      expect(await opened.store.count(100, { text: '0001' })).toBe(3)
      expect(await opened.store.count(100, { active: false })).toBe(0)
    })

    it('changes what is named and nothing else, with the time of the change', async () => {
      const cnpj = '11222333000181'
      const off = await opened.store.update(cnpj, { active: false }, 1_800_000_000_500)
      expect(off).toEqual({ ...rowOf(cnpj), active: false, updatedAt: 1_800_000_000_500 })
      expect(await opened.store.byCnpj(cnpj)).toEqual(off)
      expect(await opened.store.list({ limit: 9, filter: { active: false } })).toEqual([off])

      const settings = { allowedAddresses: ['10.0.0.0/8'] }
      const { version = -1 } = (await opened.store.settings(cnpj)) ?? {}
      const change = { name: 'Pão', settings: { settings, version } }
      const renamed = await opened.store.update(cnpj, change, 1_800_000_000_600)
      expect(renamed).toEqual({ ...off, name: 'Pão', settings, updatedAt: 1_800_000_000_600 })
      expect(await opened.store.list({ limit: 9, filter: { text: 'PAO' } })).toEqual([renamed])

      const { name, active, updatedAt, ...row } = rowOf(cnpj)
      const back = { settings: row.settings, version: version + 1 }
      expect(await opened.store.update(cnpj, { name, active, settings: back }, updatedAt)).toEqual(
        rowOf(cnpj),
      )
      const unknown = opened.store.update(nobody, { active: true }, 0)
      await expect(unknown).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
    })

    it('changes settings only as long as they are those that the change was made from', async () => {
      const cnpj = '54550752000155'
      const before = await opened.store.settings(cnpj)
      if (!before) throw new Error('no settings')
      expect(before.settings).toEqual(rowOf(cnpj).settings)
      const to = (perSecond: number) => ({
        settings: { settings: { limits: { requestsPerSecond: perSecond } }, version: before.version },
      })
      // A change of something else is none of the settings.
      await opened.store.update(cnpj, { active: true }, 1_800_000_000_000)
      const both = await Promise.allSettled([
        opened.store.update(cnpj, to(1), 1_800_000_000_000),
        opened.store.update(cnpj, { ...to(2), name: 'lost' }, 1_800_000_000_000),
      ])
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      const late = opened.store.update(cnpj, { ...to(3), name: 'lost' }, 1_800_000_000_900)
      await expect(late).rejects.toMatchObject({ code: 'TENANT_CHANGED' })
      expect((await opened.store.byCnpj(cnpj))?.updatedAt).toBe(1_800_000_000_000)
      expect((await opened.store.settings(cnpj))?.version).toBe(before.version + 1)
      expect(await opened.store.settings(nobody)).toBeNull()
      const missing = opened.store.update(nobody, to(1), 0)
      await expect(missing).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
    })

    it('removes a tenant once, with its tokens', async () => {
      await opened.store.create(rowOf('19131243000197'), tokenRow('19131243000197', 'to go'))
      expect(await opened.store.remove('19131243000197')).toBe(true)
      expect(await opened.store.remove('19131243000197')).toBe(false)
      expect(await opened.store.byTokenHash('to go')).toBeNull()
      expect(await opened.store.tokens(['19131243000197'])).toEqual([])
    })
  })
  tenantTokensContract(open)
}
