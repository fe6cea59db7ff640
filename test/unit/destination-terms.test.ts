import { expect, test } from 'vitest'
import { deliveryWindows } from '../../src/delivery/delivery-window.ts'
import { destinationTerms, termsOfSettings } from '../../src/delivery/destination-terms.ts'

const settings = {
  ...{ active: true, deliveryWindow: 'Mon-Fri 08:00-18:00 UTC', jobDeadlineSeconds: null },
  ...{ maxConcurrency: 3, ratePerSecond: null },
}

function remembered() {
  const seen = { places: 10, at: Date.parse('2026-11-20T12:00:00Z') }
  const around = {
    ...{ breaker: { failureRate: 0.5, attempts: 20, coolDownMs: 1_000 }, shutHoursOf: deliveryWindows() },
    ...{ places: () => seen.places, now: () => seen.at },
  }
  const termsOf = termsOfSettings(around)
  return { seen, termsOf, anew: (of: typeof settings) => destinationTerms(of, around) }
}

test('terms are the same object for as long as nothing of them changes', () => {
  const { seen, termsOf, anew } = remembered()
  const first = termsOf(settings)
  expect(first).toEqual(anew(settings))
  seen.at = Date.parse('2026-11-20T17:59:59Z')
  expect(termsOf(settings)).toBe(first)
})

const [noon, evening] = [Date.parse('2026-11-20T12:00:00Z'), Date.parse('2026-11-20T18:00:00Z')]
const [monday, mondayEvening] = [Date.parse('2026-11-23T08:00:00Z'), Date.parse('2026-11-23T18:00:00Z')]
test.each([
  ['a worker that comes', { places: 10 }, { places: 20 }, { slots: 20 }],
  ['a window that shuts', { at: noon }, { at: evening }, { shutFrom: 0, shutUntil: monday }],
  ['a window that opens', { at: evening }, { at: monday }, { shutFrom: mondayEvening }],
  ['a window that has shut again', { at: evening }, { at: mondayEvening }, { shutFrom: 0 }],
])('%s makes them new', (_what, before, after, terms) => {
  const { seen, termsOf, anew } = remembered()
  Object.assign(seen, before)
  termsOf(settings)
  Object.assign(seen, after)
  expect(termsOf(settings)).toMatchObject(terms)
  expect(termsOf(settings)).toEqual(anew(settings))
})

test('settings that were changed have terms of their own', () => {
  const { termsOf } = remembered()
  termsOf(settings)
  expect(termsOf({ ...settings, active: false })).toMatchObject({ active: 0 })
})
