import { expect, test } from 'vitest'
import type { AttemptTiming } from '../../src/events/job.ts'
import { phasesOf } from '../../src/events/timing-phases.ts'

const none: AttemptTiming = {
  ...{ dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 0, socketReused: null },
}
const bars = (timing: Partial<AttemptTiming>) =>
  phasesOf({ ...none, ...timing }).map(({ name, startMs, durationMs }) => [name, startMs, durationMs])

test('the phases of an attempt follow each other without gaps over its whole time', () => {
  expect(bars({ dnsMs: 1.1, connectMs: 0.3, tlsMs: 4, firstByteMs: 10.2, totalMs: 17.6 })).toEqual([
    ['DNS', 0, 1.1],
    ['CONNECT', 1.1, 0.3],
    ['TLS', 1.4, 4],
    ['WAITING', 5.4, 10.2],
    ['RECEIVING', 15.6, 2],
  ])
})

test('a socket that is used again is not connected, and what was never answered was waited for to the end', () => {
  expect(bars({ firstByteMs: 3, totalMs: 3, socketReused: true })).toEqual([
    ['WAITING', 0, 3],
    ['RECEIVING', 3, 0],
  ])
  expect(bars({ connectMs: 2, totalMs: 1_000 })).toEqual([
    ['CONNECT', 0, 2],
    ['WAITING', 2, 998],
  ])
})

test('parts that were rounded up do not go beyond the whole', () => {
  expect(bars({ connectMs: 0.1, firstByteMs: 0.3, totalMs: 0.3 })).toEqual([
    ['CONNECT', 0, 0.1],
    ['WAITING', 0.1, 0.2],
    ['RECEIVING', 0.3, 0],
  ])
})
