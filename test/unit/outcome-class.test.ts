import { expect, test } from 'vitest'
import { outcomeClass } from '../../src/delivery/outcome-class.ts'

const answered = (status: number) => outcomeClass({ kind: 'answered', status, retryAfterMs: null })

test('faults of a destination are server errors, too many requests, time-outs and no answer at all', () => {
  expect([500, 502, 503, 504, 599, 408, 429].map(answered)).toEqual(Array(7).fill('fault'))
  expect(outcomeClass({ kind: 'unanswered', error: 'ECONNREFUSED' })).toBe('fault')
})

test('any other answer says that it works, also one that refuses the event', () => {
  expect([200, 204, 301, 400, 401, 404, 409, 410, 413, 422].map(answered)).toEqual(Array(10).fill('ok'))
})

test('what was not sent tells nothing of it', () => {
  expect(outcomeClass({ kind: 'refused', error: 'an inward address' })).toBe('none')
})
