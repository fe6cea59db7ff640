import { expect, test } from 'vitest'
import { deliveryWindows } from '../../src/delivery/delivery-window.ts'

const shutHours = deliveryWindows()
const ms = (text: string) => Date.parse(text)
const seen = (text: string | null, at: string) => {
  const { from, until } = shutHours(text, ms(at))
  return [from === 0 ? 'now' : new Date(from).toISOString(), new Date(until).toISOString()]
}
const never = '9999-12-31T23:59:59.000Z'
const office = 'Mon-Fri 08:00-18:00 America/Sao_Paulo'

test('a window tells when it is shut next, and until when; while it is shut, that it is so now', () => {
  expect(seen(office, '2026-11-20T20:59:59.999Z')).toEqual([
    '2026-11-20T21:00:00.000Z',
    '2026-11-23T11:00:00.000Z',
  ])
  expect(seen(office, '2026-11-20T21:00:00Z')).toEqual(['now', '2026-11-23T11:00:00.000Z'])
})

test('without a window, and with one that never closes, there are no such hours', () => {
  expect(seen(null, '2026-11-20T12:00:00Z')).toEqual([never, never])
  expect(seen('Mon-Sun 00:00-24:00 UTC', '2026-11-20T12:00:00Z')).toEqual([never, never])
})

test('the hours are those of clocks on the wall, also where these change within them', () => {
  const night = 'Sat 20:00-24:00; Sun 00:00-06:00 Europe/Berlin'
  // Clocks go back by an hour on 25 October 2026, so the night is an hour longer.
  expect(seen(night, '2026-10-24T19:00:00Z')[0]).toBe('2026-10-25T05:00:00.000Z')
  expect(seen(night, '2026-10-25T05:00:00Z')).toEqual(['now', '2026-10-31T19:00:00.000Z'])
  // And forward on 29 March 2026.
  expect(seen(night, '2026-03-28T20:00:00Z')[0]).toBe('2026-03-29T04:00:00.000Z')
  // 02:30 does not come that day: the next such hours are a week later.
  const skipped = 'Sun 02:15-02:45 Europe/Berlin'
  expect(seen(skipped, '2026-03-28T12:00:00Z')).toEqual(['now', '2026-04-05T00:15:00.000Z'])
})
