import { expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'

it('takes one encryption secret or several, the newest first', () => {
  const read = (text: string) => readConfig({ ENCRYPTION_SECRET: text }).ENCRYPTION_SECRET
  expect(read('the only secret!')).toEqual(['the only secret!'])
  expect(read(' kept with its blanks '), 'one alone').toEqual([' kept with its blanks '])
  expect(read('the newest secret, the one of before')).toEqual(['the newest secret', 'the one of before'])
  for (const wrong of ['short', 'the newest secret,', 'the newest secret,short'])
    expect(() => read(wrong)).toThrow('expected at least 16 characters')
})

it('reads what older secrets have encrypted, and writes with the newest alone', () => {
  const cipher = tokenCipher('newest', 'older', 'oldest')
  for (const secret of ['newest', 'older', 'oldest'])
    expect(cipher.decrypt(tokenCipher(secret).encrypt('gnt_x'))).toBe('gnt_x')
  expect(tokenCipher('newest').decrypt(cipher.encrypt('gnt_x'))).toBe('gnt_x')
  expect(() => cipher.decrypt(tokenCipher('another').encrypt('gnt_x'))).toThrow(
    expect.objectContaining({ code: 'TOKEN_UNREADABLE' }),
  )
})
