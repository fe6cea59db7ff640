import { describe, expect, it } from 'vitest'
import { parseAccessWindow } from '../../src/tenants/access-window.ts'

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString().replace(':00.000Z', 'Z'))
const at = (text: string) => Date.parse(text)
/** Its next changes from a moment on, as `opens …` and `closes …`. */
function changes(text: string, from: string, count: number): string[] {
  const window = parseAccessWindow(text)
  const found: string[] = []
  for (let now: number | null = at(from); now !== null && found.length < count; ) {
    const closes = window.closesAt(now)
    const next: number | null = closes ?? window.nextOpening(now)
    found.push(`${closes === null ? 'opens' : 'closes'} ${iso(next)}`)
    now = next
  }
  return found
}

describe('the text of a window', () => {
  it.each([
    ['Mon-Fri 08:00-18:00 America/Sao_Paulo', '2026-11-23T11:00Z', '2026-11-23T21:00Z'],
    ['mon,WED 8:00-9:30 UTC', '2026-11-23T08:00Z', '2026-11-23T09:30Z'],
    ['Sat-Mon 10:00 - 11:00 Europe/Lisbon', '2026-11-22T10:00Z', '2026-11-22T11:00Z'],
    ['Sun 22:00-06:00 UTC', '2026-11-22T22:00Z', '2026-11-23T06:00Z'],
    ['Sun 22:00-00:00 UTC', '2026-11-22T22:00Z', '2026-11-23T00:00Z'],
    ['Sun 22:00-24:00 UTC', '2026-11-22T22:00Z', '2026-11-23T00:00Z'],
    ['Sat 22:00-24:00, Sun 00:00-24:00; Mon 00:00-01:00 UTC', '2026-11-22T00:00Z', '2026-11-23T01:00Z'],
    ['Mon 12:00-13:00 Asia/Kolkata; Sun 08:00-09:00 UTC', '2026-11-22T08:00Z', '2026-11-22T09:00Z'],
  ])('%s opens and closes', (text, opens, closes) => {
    const window = parseAccessWindow(text)
    const next = window.nextOpening(at('2026-11-22T00:00Z'))
    expect([iso(next), iso(window.closesAt(next ?? 0))]).toEqual([iso(at(opens)), iso(at(closes))])
    expect(window.text).toBe(text)
  })

  it('gives several hours to the same days', () => {
    expect(changes('Mon-Fri 08:00-12:00, 13:00-18:00 UTC', '2026-11-20T09:00Z', 4)).toEqual([
      'closes 2026-11-20T12:00Z',
      'opens 2026-11-20T13:00Z',
      'closes 2026-11-20T18:00Z',
      'opens 2026-11-23T08:00Z',
    ])
  })

  it('that leaves no hour out never closes', () => {
    const window = parseAccessWindow('Mon-Sun 00:00-24:00 America/Sao_Paulo')
    expect(window.isOpen(0)).toBe(true)
    expect(window.closesAt(0)).toBeNull()
  })

  it.each([
    ['', 'does not end with a time zone'],
    ['Mon 08:00-10:00', 'does not end with a time zone'],
    ['Mon 08:00-10:00 UTC; Tue 08:00-10:00', 'does not end with a time zone'],
    ['Mon', 'weekdays have no hours'],
    ['Mon; 08:00-10:00 UTC', 'weekdays have no hours'],
    ['Mon UTC', 'weekdays have no hours'],
    ['08:00-10:00 UTC', 'no weekdays stand before 08:00-10:00'],
    ['Mon 08:00-09:00; 10:00-11:00 UTC', 'no weekdays stand before 10:00-11:00'],
    ['UTC', 'no hours stand before UTC'],
    ['Mon 8-10 UTC', '"8-10" are no hours such as 08:00-18:00'],
    ['Mon 08:60-10:00 UTC', '"08:60-10:00" are no hours such as 08:00-18:00'],
    ['Mon 23:00-24:01 UTC', '"23:00-24:01" are no hours such as 08:00-18:00'],
    ['Mon 24:00-08:00 UTC', '"24:00-08:00" are no hours such as 08:00-18:00'],
    ['Mon 08:00-08:00 UTC', '08:00-08:00 is empty; a whole day is 00:00-24:00'],
    ['Mon 08:00-10:00 Fantasia/Castle', '"Fantasia/Castle" is neither a weekday nor a time zone'],
    ['Mon 08:00-10:00 +03:00', '"+03:00" is neither a weekday nor a time zone'],
    ['Mon-Wed-Fri 08:00-10:00 UTC', '"Mon-Wed-Fri" is neither a weekday nor a time zone'],
    [`${'Mon 08:00-10:00, '.repeat(30)} UTC`, 'it has more than 500 characters'],
  ])('is refused with the reason: %s', (text, reason) => {
    expect(() => parseAccessWindow(text)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringContaining(reason) }),
    )
  })
})

describe('when clocks change', () => {
  it('in São Paulo, whose summer time began at midnight: hours that did not exist do not come', () => {
    // 4 November 2018 began at 01:00.
    expect(changes('Sat-Sun 22:00-02:00 America/Sao_Paulo', '2018-11-03T12:00Z', 2)).toEqual([
      'opens 2018-11-04T01:00Z',
      'closes 2018-11-04T04:00Z',
    ])
    expect(changes('Sun 00:00-00:45 America/Sao_Paulo', '2018-11-03T12:00Z', 1)).toEqual([
      'opens 2018-11-11T02:00Z',
    ])
    expect(changes('Sun 00:30-08:00 America/Sao_Paulo', '2018-11-03T12:00Z', 2)).toEqual([
      'opens 2018-11-04T03:00Z',
      'closes 2018-11-04T10:00Z',
    ])
  })

  it('in São Paulo, whose summer time ended at midnight: the last hour of Saturday came twice', () => {
    expect(changes('Sat 23:30-23:45 America/Sao_Paulo', '2018-02-17T12:00Z', 4)).toEqual([
      'opens 2018-02-18T01:30Z',
      'closes 2018-02-18T01:45Z',
      'opens 2018-02-18T02:30Z',
      'closes 2018-02-18T02:45Z',
    ])
    expect(changes('Sat 22:00-24:00 America/Sao_Paulo', '2018-02-17T12:00Z', 2)).toEqual([
      'opens 2018-02-18T00:00Z',
      'closes 2018-02-18T03:00Z',
    ])
  })

  it('in Lisbon: the same local hours before and after, an hour apart in UTC', () => {
    expect(changes('Sat-Mon 08:00-18:00 Europe/Lisbon', '2026-03-28T07:00Z', 4)).toEqual([
      'opens 2026-03-28T08:00Z',
      'closes 2026-03-28T18:00Z',
      'opens 2026-03-29T07:00Z',
      'closes 2026-03-29T17:00Z',
    ])
    expect(changes('Sat 22:00-06:00 Europe/Lisbon', '2026-10-24T12:00Z', 2)).toEqual([
      'opens 2026-10-24T21:00Z',
      'closes 2026-10-25T06:00Z',
    ])
  })

  it('in New York: an end that does not exist is the moment at which clocks jump over it', () => {
    expect(changes('Sun 01:00-02:30 America/New_York', '2026-03-08T00:00Z', 2)).toEqual([
      'opens 2026-03-08T06:00Z',
      'closes 2026-03-08T07:00Z',
    ])
    expect(changes('Sun 01:00-01:30 America/New_York', '2026-11-01T00:00Z', 4)).toEqual([
      'opens 2026-11-01T05:00Z',
      'closes 2026-11-01T05:30Z',
      'opens 2026-11-01T06:00Z',
      'closes 2026-11-01T06:30Z',
    ])
  })
})

it('a moment that no date can hold is outside', () => {
  const window = parseAccessWindow('Mon-Sun 00:00-24:00 UTC')
  expect([window.isOpen(9e15), window.nextOpening(9e15), window.closesAt(Number.NaN)]).toEqual([
    false,
    null,
    null,
  ])
})
