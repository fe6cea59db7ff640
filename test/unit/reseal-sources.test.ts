import { expect, it, onTestFinished } from 'vitest'
import { resealSources } from '../../src/tenants/sources/reseal-sources.ts'
import type { StoredSource } from '../../src/tenants/sources/source.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const [older, newest, lost] = ['the secret of before', 'the newest secret', 'a secret nobody has any more']
const cnpj = '00000000000191'
const sealed = (id: string, secret: string): StoredSource => ({
  ...{ id, cnpj, name: id, scheme: 'github', options: {}, createdAt: 1, lastUsedAt: null },
  secrets: tokenCipher(secret).encrypt(`["of ${id}"]`),
})

it('seals the secrets of every source under the newest secret, and leaves what it cannot read', async () => {
  const { tenants, sources, close } = await startTestStores()
  onTestFinished(close)
  await tenants.create(tenantRow(cnpj), tokenRow(cnpj, 'a'))
  const unreadable = sealed('b', lost)
  for (const source of [sealed('a', older), unreadable, sealed('c', newest)]) await sources.create(source)

  const resealed = await resealSources(sources, tokenCipher(newest, older))
  expect(resealed).toEqual({ resealed: ['a', 'c'], unreadable: ['b'] })
  expect((await sources.byId('b'))?.secrets).toBe(unreadable.secrets)
  for (const id of ['a', 'c'])
    expect(tokenCipher(newest).decrypt((await sources.byId(id))?.secrets ?? '')).toBe(`["of ${id}"]`)
})
