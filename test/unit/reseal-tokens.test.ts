import { expect, it, onTestFinished } from 'vitest'
import { resealTokens } from '../../src/tenants/reseal-tokens.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const [older, newest, lost] = ['the secret of before', 'the newest secret', 'a secret nobody has any more']

function sealed(cnpj: string, token: string, secret: string) {
  const hash = tokenHashing(secret)(token)
  return tokenRow(cnpj, hash, { encrypted: tokenCipher(secret).encrypt(token), prefix: token.slice(0, 8) })
}

it('seals every token under the newest secret, however many pages they fill, and leaves what it cannot read', async () => {
  const { tenants: store, close } = await startTestStores()
  onTestFinished(close)
  const names = Array.from({ length: 600 }, (_, at) => `T${String(at).padStart(13, '0')}`)
  await Promise.all(
    names.map((cnpj) => store.create(tenantRow(cnpj), sealed(cnpj, `token of ${cnpj}`, older))),
  )
  const [one = ''] = names
  await store.addToken(sealed(one, 'made since', newest))
  await store.addToken(sealed(one, 'lost', lost))

  const reseal = () =>
    resealTokens({ store, cipher: tokenCipher(newest, older), hashToken: tokenHashing(newest) })
  const unreadable = [`id of ${tokenHashing(lost)('lost')}`]
  expect(await reseal()).toEqual({ resealed: 600, unchanged: 1, unreadable })
  expect(await reseal()).toEqual({ resealed: 0, unchanged: 601, unreadable })

  for (const cnpj of [one, names.at(-1) ?? '']) {
    const token = `token of ${cnpj}`
    expect(await store.byTokenHash(tokenHashing(newest)(token))).toMatchObject({ tenant: { cnpj } })
    expect(await store.byTokenHash(tokenHashing(older)(token))).toBeNull()
    const texts = (await store.tokens([cnpj])).map((stored) => stored.encrypted)
    const opened = texts.map((text) => {
      try {
        return tokenCipher(newest).decrypt(text)
      } catch {
        return undefined
      }
    })
    expect(opened).toContain(token)
  }
})
