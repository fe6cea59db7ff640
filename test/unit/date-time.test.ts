import { expect, test } from 'vitest'
import { DateTime } from '../../src/graphql/date-time.ts'

const dayMs = 86_400_000
const oneDay = Date.UTC(2028, 1, 29)

test.each([
  ['the first and the last millisecond of a day', [oneDay, oneDay + dayMs - 1]],
  ['each hour, minute, second and millisecond', Array.from({ length: 1_500 }, (_, i) => oneDay + i * 57_601)],
  ['days by turns', [oneDay, oneDay - 1, oneDay + dayMs, oneDay]],
  ['from 1970 to the year 10000 and beyond', [0, 253_402_300_799_999, 253_402_300_800_000, 8.64e15]],
  ['times before 1970', [-1, -62_198_755_200_000]],
  ['parts of milliseconds', [oneDay + 0.7, -0.5]],
])('times are written as by toISOString: %s', (_which, times) => {
  const given = times.flatMap((ms) => [ms, new Date(ms)])
  expect(given.map((time) => DateTime.serialize(time))).toEqual(
    given.map((time) => new Date(time).toISOString()),
  )
})

test.each([[Number.NaN], [8.64e15 + 1], [new Date(Number.NaN)], ['soon'], [{}]])(
  'what is no time is refused: %s',
  (value) => {
    expect(() => DateTime.serialize(value)).toThrow()
  },
)
