import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAccessWindow } from '../../src/tenants/access-window.ts'
import { clockChanges, type WallTime, wallTime, weekdayNames } from '../support/wall-clock.ts'

const minuteMs = 60_000
const walkMs = 48 * 60 * minuteMs
const firstMs = Date.UTC(1980, 0, 1)
const lastMs = Date.UTC(2037, 0, 1)

/** Half an hour, two hours, at midnight, at one minute past, a day left out, against the sun, and none at all. */
const zones = [
  ...['America/Sao_Paulo', 'Europe/Lisbon', 'America/New_York', 'America/St_Johns', 'Atlantic/Azores'],
  ...['Australia/Lord_Howe', 'Antarctica/Troll', 'Pacific/Apia', 'Africa/Casablanca', 'Asia/Kolkata', 'UTC'],
]
const changesOf = new Map(
  zones.map((zone) => [zone, clockChanges(zone, Date.UTC(2008, 0, 1), Date.UTC(2022, 0, 1))]),
)

/** `days` are indices of weekdays; minutes of the day, `end` up to 1,440. */
type Span = { days: number[]; start: number; end: number }
type Part = { zone: string; spans: Span[] }

const span: fc.Arbitrary<Span> = fc
  .record({
    days: fc.uniqueArray(fc.nat(6), { minLength: 1 }),
    start: fc.oneof(fc.nat(1_439), fc.integer({ min: 0, max: 180 })),
    end: fc.oneof(fc.nat(1_440), fc.integer({ min: 0, max: 180 })),
  })
  .filter(({ start, end }) => start !== end)
const part = fc.record({
  zone: fc.constantFrom(...zones),
  spans: fc.array(span, { minLength: 1, maxLength: 3 }),
})
const parts = fc.array(part, { minLength: 1, maxLength: 2 })

const clock = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
const written = ({ days, start, end }: Span) =>
  `${days.map((day) => weekdayNames[day]).join(',')} ${clock(start)}-${clock(end)}`
const textOf = (all: readonly Part[]) =>
  all.map(({ zone, spans }) => `${spans.map(written).join(', ')} ${zone}`).join('; ')

function covers({ days, start, end }: Span, { day, minute }: WallTime): boolean {
  const today = days.includes(day) && minute >= start && (end < start || minute < end)
  const sinceYesterday = end < start && days.includes((day + 6) % 7) && minute < end
  return today || sinceYesterday
}
const modelIsOpen = (all: readonly Part[], at: number) =>
  all.some(({ zone, spans }) => {
    const shown = wallTime(zone, at)
    return spans.some((one) => covers(one, shown))
  })

/** Any minute, or one in the day before a change of clocks in the first part's zone. */
const minuteOf = (all: readonly Part[]) => {
  const changes = changesOf.get(all[0]?.zone ?? '') ?? []
  const any = fc
    .integer({ min: firstMs / minuteMs, max: lastMs / minuteMs })
    .map((minute) => minute * minuteMs)
  if (changes.length === 0) return any
  const near = fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -1_500, max: 60 }))
    .map(([change, minutes]) => change + minutes * minuteMs)
  return fc.oneof(any, { arbitrary: near, weight: 3 })
}
const windowAndMinute = parts.chain((all) => fc.record({ all: fc.constant(all), from: minuteOf(all) }))

test('a window is open in exactly the minutes that a clock on the wall shows as its hours', () => {
  fc.assert(
    fc.property(windowAndMinute, ({ all, from }) => {
      const window = parseAccessWindow(textOf(all))
      for (let at = from; at < from + walkMs; at += minuteMs)
        if (window.isOpen(at) !== modelIsOpen(all, at))
          throw new Error(`differs at ${new Date(at).toISOString()}`)
    }),
    { numRuns: 80 },
  )
})

test('it tells to the millisecond when it opens and closes next, asked in any order', () => {
  fc.assert(
    fc.property(windowAndMinute, fc.integer({ min: 0, max: walkMs }), ({ all, from }, ahead) => {
      const window = parseAccessWindow(textOf(all))
      window.isOpen(from + ahead)
      const open = modelIsOpen(all, from)
      let change = from
      while (change < from + walkMs && modelIsOpen(all, change) === open) change += minuteMs
      const told = open ? window.closesAt(from) : window.nextOpening(from)
      expect(open ? window.nextOpening(from) : window.closesAt(from)).toBe(open ? from : null)
      if (change < from + walkMs) expect(told).toBe(change)
      else expect(told ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(change)
      expect([window.isOpen(change - 1), window.isOpen(from)]).toEqual([open, open])
    }),
    { numRuns: 150 },
  )
})

test('every window that can be written opens within two weeks', () => {
  fc.assert(
    fc.property(windowAndMinute, ({ all, from }) => {
      const next = parseAccessWindow(textOf(all)).nextOpening(from)
      expect(next).not.toBeNull()
      expect((next ?? 0) - from).toBeLessThanOrEqual(14 * 86_400_000)
      expect(modelIsOpen(all, next ?? 0)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
