import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredDestination } from '../../src/delivery/destination.ts'
import type { Stores } from '../../src/storage/open-stores.ts'
import { destinationRow } from '../support/destination-rows.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const one = '00000000000191'
const other = '11222333000181'

const full: StoredDestination = destinationRow('dst_b', {
  ...{ cnpj: one, name: 'ação ✓', url: `https://example.com/${'x'.repeat(5_000)}`, queue: 'slow' },
  ...{ active: false, eventTypes: ['a.b', 'invoice.*'], filter: "$[?@.x == 'y']", fifo: true },
  ...{ retryScheduleSeconds: [1, 2], retryForSeconds: 60, finalStatuses: [404, 410], timeoutMs: 5_000 },
  ...{ maxConcurrency: 3, ratePerSecond: 7, deliveryWindow: 'Mon-Fri 08:00-18:00 America/Sao_Paulo' },
  ...{ jobDeadlineSeconds: 3_600, disabledAt: 1_800_000_000_001, disabledReason: 'HTTP 410' },
  ...{ createdAt: 1_800_000_000_000, updatedAt: 1_800_000_000_001, secrets: `v1.${'s'.repeat(9_000)}` },
})

/** What every DestinationStore promises. `open` gives stores that are empty. */
export function destinationStoreContract(open: () => Promise<Stores>) {
  describe('destinations', () => {
    let stores: Stores
    beforeAll(async () => {
      stores = await open()
      await stores.tenants.create(tenantRow(one), tokenRow(one, 'a'))
      await stores.tenants.create(tenantRow(other), tokenRow(other, 'b'))
    })
    afterAll(() => stores.close())

    const forAll = destinationRow('dst_a')
    const first = destinationRow('dst_c', { cnpj: one })
    const others = destinationRow('dst_d', { cnpj: other })
    const ids = async (page: Parameters<Stores['destinations']['list']>[0]) =>
      (await stores.destinations.list(page)).map(({ id }) => id)

    it('gives back what was created, every field of it', async () => {
      for (const destination of [others, full, forAll, first])
        await stores.destinations.create(destination, 20)
      expect(await stores.destinations.byId('dst_b')).toEqual(full)
      expect(await stores.destinations.byId('dst_a')).toEqual(forAll)
      expect(await stores.destinations.byId('nobody')).toBeNull()
    })

    it('lists in order of ids, from either end, between ids, of one tenant, or of none', async () => {
      expect(await ids({ limit: 9 })).toEqual(['dst_a', 'dst_b', 'dst_c', 'dst_d'])
      expect(await ids({ limit: 2 })).toEqual(['dst_a', 'dst_b'])
      expect(await ids({ limit: 2, after: 'dst_a' })).toEqual(['dst_b', 'dst_c'])
      expect(await ids({ limit: 2, fromEnd: true })).toEqual(['dst_c', 'dst_d'])
      expect(await ids({ limit: 2, fromEnd: true, before: 'dst_d' })).toEqual(['dst_b', 'dst_c'])
      expect(await ids({ limit: 9, after: 'dst_a', before: 'dst_c' })).toEqual(['dst_b'])
      expect(await ids({ limit: 9, filter: { cnpj: one } })).toEqual(['dst_b', 'dst_c'])
      expect(await ids({ limit: 9, filter: { cnpj: one }, after: 'dst_b' })).toEqual(['dst_c'])
      expect(await ids({ limit: 9, filter: { cnpj: null } })).toEqual(['dst_a'])
    })

    it('creates none for a tenant that is not there', async () => {
      const creating = stores.destinations.create(destinationRow('dst_x', { cnpj: '99999999999999' }), 20)
      await expect(creating).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
      expect(await stores.destinations.byId('dst_x')).toBeNull()
    })

    it('creates no more than an owner may have, whoever else has how many', async () => {
      const create = (id: string, cnpj: string | null, most: number) =>
        stores.destinations.create(destinationRow(id, { cnpj }), most)
      await expect(create('dst_x', one, 2)).rejects.toMatchObject({ code: 'TOO_MANY_DESTINATIONS' })
      await expect(create('dst_x', null, 1)).rejects.toMatchObject({ code: 'TOO_MANY_DESTINATIONS' })
      expect(await stores.destinations.byId('dst_x')).toBeNull()
      await create('dst_y', other, 2)
      await create('dst_z', null, 2)
      for (const id of ['dst_y', 'dst_z']) expect(await stores.destinations.remove(id)).toBe(true)
    })

    it('of many created at once for one tenant leaves as many as it may have', async () => {
      const creating = Array.from({ length: 6 }, (_, at) =>
        stores.destinations.create(destinationRow(`dst_m${at}`, { cnpj: other }), 3),
      )
      const outcomes = await Promise.allSettled(creating)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
      const made = (await ids({ limit: 9, filter: { cnpj: other } })).filter((id) => id !== 'dst_d')
      expect(made).toHaveLength(2)
      for (const id of made) await stores.destinations.remove(id)
    })

    it('writes a change once: whoever changed an older version is told', async () => {
      const changed = { ...full, name: 'new', active: true, disabledAt: null, secrets: 'v1.new', version: 2 }
      await stores.destinations.update(changed)
      expect(await stores.destinations.byId('dst_b')).toEqual(changed)
      await expect(stores.destinations.update({ ...full, name: 'late', version: 2 })).rejects.toMatchObject({
        code: 'DESTINATION_CHANGED',
      })
      expect(await stores.destinations.byId('dst_b')).toEqual(changed)
      await expect(stores.destinations.update(destinationRow('nobody'))).rejects.toMatchObject({
        code: 'DESTINATION_NOT_FOUND',
      })
    })

    it('never changes whose a destination is, nor since when it is there', async () => {
      await stores.destinations.update({ ...first, cnpj: other, createdAt: 5, version: 2 })
      expect(await stores.destinations.byId('dst_c')).toEqual({ ...first, version: 2 })
    })

    it('replaces an encrypted text unless the destination has changed since it was read', async () => {
      expect(await stores.destinations.reseal('dst_b', 2, 'v1.anew')).toBe(true)
      expect(await stores.destinations.byId('dst_b')).toMatchObject({ secrets: 'v1.anew', version: 2 })
      expect(await stores.destinations.reseal('dst_b', 1, 'v1.late')).toBe(false)
      expect(await stores.destinations.reseal('nobody', 1, 'v1.late')).toBe(false)
      expect(await stores.destinations.byId('dst_b')).toMatchObject({ secrets: 'v1.anew' })
    })

    it('removes one alone, and those of a tenant with it', async () => {
      expect(await stores.destinations.remove('dst_c')).toBe(true)
      expect(await stores.destinations.remove('dst_c')).toBe(false)
      await stores.tenants.remove(one)
      expect(await ids({ limit: 9 })).toEqual(['dst_a', 'dst_d'])
    })
  })
}
