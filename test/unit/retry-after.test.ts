import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRetryAfter } from '../../src/delivery/retry-after.ts'

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

test('seconds are read as a delay', () => {
  expect(parseRetryAfter('120', now)).toBe(120_000)
  expect(parseRetryAfter(' 0 ', now)).toBe(0)
})

test('all three spellings of an HTTP date mean the same moment, whatever the local time zone', () => {
  for (const text of [
    'Sun, 22 Nov 2026 12:01:30 GMT',
    'Sunday, 22-Nov-26 12:01:30 GMT',
    'Sun Nov 22 12:01:30 2026',
  ])
    expect(parseRetryAfter(text, now)).toBe(90_000)
})

test('a date in the past asks for no wait', () => {
  expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', now)).toBe(0)
})

test('nonsense, negative and missing values are ignored', () => {
  for (const text of ['', 'soon', '-5', '1.5', '2026-11-22', 'Sun, 99 Foo 2026', undefined])
    expect(parseRetryAfter(text, now)).toBeNull()
})

test('a repeated header counts once, by its first value', () => {
  expect(parseRetryAfter(['3', '9'], now)).toBe(3000)
})

test('the result is null or a safe number of milliseconds, whatever is sent', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.bigInt({ min: 0n }).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const wait = parseRetryAfter(text, now)
      expect(wait === null || (Number.isSafeInteger(wait) && wait >= 0)).toBe(true)
    }),
  )
})
