import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { decodeCursor, encodeCursor } from '../../src/journal/cursor.ts'

const position = fc.record({
  epoch: fc.uuid(),
  id: fc.tuple(fc.nat(), fc.nat()).map(([ms, seq]) => `${ms}-${seq}`),
})
const codeOf = (text: string) => {
  try {
    return decodeCursor(text)
  } catch (error) {
    return error instanceof GanchoError && error.code
  }
}

describe('a cursor', () => {
  test('says the position that it was made of, in letters that need no escape anywhere', () => {
    fc.assert(
      fc.property(position, (one) => {
        expect(encodeCursor(one)).toMatch(/^[\w-]+$/)
        expect(decodeCursor(encodeCursor(one))).toEqual(one)
      }),
    )
  })

  test('that was not made here is refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        expect(codeOf(text)).toBe('INVALID_CURSOR')
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['an id that Redis would refuse', 'epoch 99999999999999999999-0'],
    ['an id with a sign', 'epoch -1-0'],
    ['leading zeros', 'epoch 01-0'],
    ['no id', 'epoch'],
    ['no epoch', ' 1-0'],
    ['more behind it', 'epoch 1-0 2-0'],
    ['a line end', 'epoch 1-0\n'],
    ['a far too long epoch', `${'e'.repeat(200)} 1-0`],
  ])('with %s in it is refused', (_what, text) => {
    expect(codeOf(Buffer.from(text).toString('base64url'))).toBe('INVALID_CURSOR')
  })

  test('has no second spelling', () => {
    const text = encodeCursor({ epoch: 'epoch', id: '1-0' })
    for (const other of [`${text}=`, ` ${text}`, `${text}A`]) expect(codeOf(other)).toBe('INVALID_CURSOR')
  })
})
