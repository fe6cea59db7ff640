import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantStore } from '../../src/tenants/tenant-store.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

type Opened = { store: TenantStore; close(): Promise<void> }

const one = '00000000000191'
const other = '11222333000181'
const day = 1_800_000_000_000

/** What every TenantStore promises about tokens. `open` gives a store that is empty. */
export function tenantTokensContract(open: () => Promise<Opened>) {
  describe("tenants' tokens", () => {
    let opened: Opened
    beforeAll(async () => {
      opened = await open()
      await opened.store.create(tenantRow(one), tokenRow(one, 'a', { createdAt: day }))
      await opened.store.create(tenantRow(other), tokenRow(other, 'b', { createdAt: day }))
    })
    afterAll(() => opened.close())

    const token = async (hash: string) =>
      (await opened.store.tokens([one, other])).find((candidate) => candidate.hash === hash)

    it('finds a tenant by each of its tokens, with the end of that token', async () => {
      const second = tokenRow(one, 'a2', { name: 'second', createdAt: day + 5, expiresAt: day + 1_000 })
      await opened.store.addToken(second)
      const tenant = tenantRow(one, { updatedAt: day + 5 })
      expect(await opened.store.byTokenHash('a')).toEqual({
        tenant,
        token: { id: 'id of a', hash: 'a', expiresAt: null },
      })
      expect(await opened.store.byTokenHash('a2')).toEqual({
        tenant,
        token: { id: 'id of a2', hash: 'a2', expiresAt: day + 1_000 },
      })
      expect(await opened.store.tokens([one])).toEqual([second, tokenRow(one, 'a', { createdAt: day })])
      expect(await opened.store.byTokenHash('nobody')).toBeNull()
      expect(await opened.store.tokens(['99999999999999'])).toEqual([])
    })

    it('ends the others when one is added to take their place, but none later than it would have', async () => {
      await opened.store.addToken(tokenRow(one, 'a3', { createdAt: day + 10 }), day + 2_000)
      expect((await token('a'))?.expiresAt).toBe(day + 2_000)
      expect((await token('a2'))?.expiresAt).toBe(day + 1_000)
      expect((await token('a3'))?.expiresAt).toBeNull()
      expect((await token('b'))?.expiresAt).toBeNull()
    })

    it('adds no token to a tenant that is not there, and ends none when adding fails', async () => {
      const missing = opened.store.addToken(tokenRow('99999999999999', 'c'))
      await expect(missing).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' })
      await expect(opened.store.addToken(tokenRow(one, 'b'), day)).rejects.toThrow()
      expect((await token('a3'))?.expiresAt).toBeNull()
    })

    it('knows a revoked token no more, and keeps the moment of the first revocation', async () => {
      await opened.store.addToken(tokenRow(one, 'a4', { createdAt: day }))
      expect(await opened.store.revokeToken(other, 'id of a4', day)).toBe(false)
      expect(await opened.store.revokeToken(one, 'nobody', day)).toBe(false)
      expect(await opened.store.revokeToken(one, 'id of a4', day + 20)).toBe(true)
      expect(await opened.store.revokeToken(one, 'id of a4', day + 30)).toBe(true)
      expect((await token('a4'))?.revokedAt).toBe(day + 20)
      expect(await opened.store.byTokenHash('a4')).toBeNull()
    })

    it('lists tokens that may be used now, page by page, those of inactive tenants left out', async () => {
      const hashes = async (now: number, limit: number, after?: string) =>
        (await opened.store.usableTokens({ now, limit, ...(after === undefined ? {} : { after }) })).map(
          (found) => found.token.hash,
        )
      expect(await hashes(day, 10)).toEqual(['a', 'a2', 'a3', 'b'])
      expect(await hashes(day + 1_000, 2)).toEqual(['a', 'a3'])
      expect(await hashes(day + 2_000, 2)).toEqual(['a3', 'b'])
      expect(await hashes(day, 10, 'a3')).toEqual(['b'])
      expect(
        (await opened.store.usableTokens({ now: day, limit: 2, after: 'a', cnpj: one })).map(
          (found) => found.token.hash,
        ),
      ).toEqual(['a2', 'a3'])
      expect(await opened.store.usableTokens({ now: day, limit: 2, cnpj: '99999999999999' })).toEqual([])
      await opened.store.update(other, { active: false }, day)
      expect(await hashes(day, 10)).toEqual(['a', 'a2', 'a3'])
    })

    it('lists all tokens by their ids, page by page', async () => {
      const first = await opened.store.tokenPage({ limit: 3 })
      const rest = await opened.store.tokenPage({ limit: 3, after: first[2]?.id ?? '' })
      expect([...first, ...rest].map((found) => found.hash)).toEqual(['a', 'a2', 'a3', 'a4', 'b'])
      expect(rest[1]).toEqual(tokenRow(other, 'b', { createdAt: day }))
    })

    it('remembers the last use of many at once, and never an earlier one', async () => {
      await opened.store.touchTokens([
        { id: 'id of a', at: day + 50 },
        { id: 'id of b', at: day + 60 },
        { id: 'nobody', at: day },
      ])
      await opened.store.touchTokens([{ id: 'id of a', at: day + 40 }])
      await opened.store.touchTokens([])
      expect((await token('a'))?.lastUsedAt).toBe(day + 50)
      expect((await token('b'))?.lastUsedAt).toBe(day + 60)
    })

    it('tells when each tenant last used one of its tokens, leaving out who never did', async () => {
      await opened.store.touchTokens([{ id: 'id of a2', at: day + 70 }])
      await opened.store.create(tenantRow('12ABC34501DE35'), tokenRow('12ABC34501DE35', 'unused'))
      const uses = await opened.store.lastUses([one, other, '12ABC34501DE35', '99999999999999'])
      expect(uses.sort((a, b) => a.at - b.at)).toEqual([
        { cnpj: other, at: day + 60 },
        { cnpj: one, at: day + 70 },
      ])
      expect(await opened.store.lastUses([])).toEqual([])
    })

    it('shows the newest tokens of each of many tenants', async () => {
      const [many, few] = ['19131243000197', '54550752000155']
      await opened.store.create(tenantRow(few), tokenRow(few, 'few', { createdAt: day + 500 }))
      await opened.store.create(tenantRow(many), tokenRow(many, 'many 0', { createdAt: day }))
      for (let at = 1; at <= 105; at++)
        await opened.store.addToken(tokenRow(many, `many ${at}`, { createdAt: day + at }))
      const shown = await opened.store.tokens([many, few, many])
      expect(shown).toHaveLength(101)
      expect(shown.slice(0, 2).map(({ hash }) => hash)).toEqual(['few', 'many 105'])
      expect(shown.at(-1)?.hash).toBe('many 6')
      expect(await opened.store.tokens([])).toEqual([])
      for (const cnpj of [many, few]) await opened.store.remove(cnpj)
    })

    it('removes tokens that ended before a moment, so many at a time, and no others', async () => {
      const cnpj = '33000167000101'
      const ended = {
        lasting: {},
        'expires later': { expiresAt: day },
        'expired long ago': { expiresAt: day - 1 },
        'revoked later': { revokedAt: day },
        'revoked long ago': { revokedAt: day - 1, expiresAt: day + 1_000 },
        'expired and revoked': { revokedAt: day + 5, expiresAt: day - 5 },
      }
      await opened.store.create(tenantRow(cnpj), tokenRow(cnpj, 'its first'))
      for (const [hash, part] of Object.entries(ended))
        await opened.store.addToken(tokenRow(cnpj, hash, part))
      expect(await opened.store.removeEndedTokens(day, 2)).toBe(2)
      expect(await opened.store.removeEndedTokens(day, 2)).toBe(1)
      expect(await opened.store.removeEndedTokens(day, 2)).toBe(0)
      const left = (await opened.store.tokens([cnpj])).map(({ hash }) => hash)
      expect(left.sort()).toEqual(['expires later', 'its first', 'lasting', 'revoked later'])
      await opened.store.remove(cnpj)
    })

    it('seals a token anew unless that has happened meanwhile', async () => {
      const was = tokenRow(one, 'a3')
      const sealed = { hash: 'a3 anew', encrypted: 'v1.anew', prefix: 'gnt_wxyz' }
      expect(await opened.store.resealToken(was, sealed)).toBe(true)
      expect(await opened.store.resealToken(was, { ...sealed, encrypted: 'v1.again' })).toBe(false)
      expect(await token('a3 anew')).toMatchObject({ id: 'id of a3', createdAt: day + 10, ...sealed })
      expect(await opened.store.byTokenHash('a3')).toBeNull()
    })
  })
}
