import { describe, expect, test } from 'vitest'
import { bucketLatency, countEntries, latencyBucket, statSpans } from '../../src/history/job-stats.ts'
import { createStatsReader } from '../../src/history/stats-reader.ts'
import type { JournalEntry } from '../../src/journal/entry.ts'

const [minuteMs, hourMs] = statSpans
const noon = 500_000 * hourMs

const entry = (changes: Partial<JournalEntry>): JournalEntry => ({
  ...{ id: '1-0', n: 1, status: 'RECEIVED', previous: null, round: 0, attempts: 0, eventId: 'e' },
  ...{ cnpj: 'c', destination: 'default', queue: 'nifi', eventType: null, at: noon },
  ...changes,
})
const counted = (status: string, previous: string | null) => {
  const [minute] = countEntries([entry({ status, previous })], new Map())
  const { received, delivered, failed, retried, requeued, discarded } = minute ?? {}
  return Object.entries({ received, delivered, failed, retried, requeued, discarded })
    .filter(([, count]) => count)
    .map(([name]) => name)
}

describe('a bucket of latencies', () => {
  test('tells every latency with an error of less than 5 %, or 1 ms', () => {
    for (let ms = 0; ms < 10; ms += 1)
      expect(Math.abs(bucketLatency(latencyBucket(ms)) - ms)).toBeLessThanOrEqual(1)
    for (let ms = 1; ms < 40 * 86_400_000; ms *= 1.013)
      expect(Math.abs(bucketLatency(latencyBucket(ms)) / ms - 1)).toBeLessThan(0.05)
  })
  test('is no lower for a longer time, nor for one that a clock has turned', () => {
    let last = latencyBucket(-5)
    expect(last).toBe(0)
    for (let ms = 0; ms < 100_000; ms += 7) {
      expect(latencyBucket(ms)).toBeGreaterThanOrEqual(last)
      last = latencyBucket(ms)
    }
  })
})

describe('a status change', () => {
  test.each([
    ['RECEIVED', null, ['received']],
    ['QUEUED', 'RECEIVED', []],
    ['DELIVERING', 'QUEUED', []],
    ['DELIVERED', 'DELIVERING', ['delivered']],
    ['RETRYING', 'DELIVERING', ['retried']],
    ['FAILED', 'DELIVERING', ['failed']],
    ['HELD', 'DELIVERING', []],
    ['QUEUED', 'HELD', []],
    ['QUEUED', 'FAILED', ['requeued']],
    ['QUEUED', 'DELIVERED', ['requeued']],
    ['DISCARDED', 'RETRYING', ['discarded']],
  ])('to %s from %s counts as %j', (status, previous, names) => {
    expect(counted(status, previous)).toEqual(names)
  })
})

test('changes are counted by the minute and by the hour, tenant, queue and destination', () => {
  const later = noon + hourMs - 1
  const stats = countEntries(
    [
      entry({}),
      entry({ at: later }),
      entry({ cnpj: 'd' }),
      entry({ queue: 'q' }),
      entry({ destination: 'x' }),
    ],
    new Map(),
  )
  const shown = stats.map(({ spanMs, at, cnpj, queue, destination, received }) =>
    [spanMs === hourMs ? 'hour' : 'minute', at - noon, cnpj, queue, destination, received].join(' '),
  )
  expect(shown.sort()).toEqual(
    [
      ...['hour 0 c nifi default 2', 'hour 0 c nifi x 1', 'hour 0 c q default 1', 'hour 0 d nifi default 1'],
      ...['minute 0 c nifi default 1', 'minute 0 c nifi x 1', 'minute 0 c q default 1'],
      ...['minute 0 d nifi default 1', `minute ${hourMs - minuteMs} c nifi default 1`],
    ].sort(),
  )
})

test('how long it took is counted for first rounds whose acceptance is known', () => {
  const done = { status: 'DELIVERED', previous: 'DELIVERING' }
  const [minute] = countEntries(
    [entry(done), entry({ ...done, n: 2 }), entry({ ...done, n: 3 }), entry({ ...done, n: 1, round: 1 })],
    new Map([
      [1, noon - 100],
      [2, noon - 5_000],
    ]),
  )
  expect(minute?.delivered).toBe(4)
  expect(minute?.latencies).toEqual(
    new Map([
      [latencyBucket(100), 1],
      [latencyBucket(5_000), 1],
    ]),
  )
})

describe('points', () => {
  const store = {
    counts: async () => new Map(),
    latencies: async () =>
      new Map([
        [
          1,
          new Map([
            [0, 50],
            [49, 45],
            [73, 5],
          ]),
        ],
      ]),
    removeBefore: async () => 0,
  }
  const reader = createStatsReader({ store, minutesKeptMs: 48 * hourMs, now: () => noon })
  const points = (from: number, to: number, bucketSeconds: number) =>
    reader.points({ from, to, bucketSeconds, filter: {} })

  test('are there for each slot, whole minutes or hours, with percentiles where anything was delivered', async () => {
    const found = await points(noon - 90_001, noon, 60)
    expect(found.map(({ from, to }) => [from - noon, to - noon])).toEqual([
      [-120_000, -60_000],
      [-60_000, 0],
    ])
    expect(found[0]).toMatchObject({ received: 0, latency: null })
    const { count, p50, p90, p95, p99 } = found[1]?.latency ?? {}
    expect([count, p50, p90, p95, p99]).toEqual([100, 1, ...[49, 49, 73].map(bucketLatency)])
    expect((await points(noon - hourMs - 1, noon, 3_600)).map(({ from }) => from - noon)).toEqual([
      -2 * hourMs,
      -hourMs,
    ])
  })

  test.each([
    ['of part of a minute', [noon - hourMs, noon, 90]],
    ['of no length', [noon - hourMs, noon, 0]],
    ['backwards', [noon, noon - hourMs, 60]],
    ['of nothing', [noon, noon, 60]],
    ['by the thousand', [noon - 1_001 * minuteMs, noon, 60]],
    ['finer than what is kept', [noon - 50 * hourMs, noon - 49 * hourMs, 60]],
  ] as const)('%s are refused', async (_what, [from, to, bucketSeconds]) => {
    await expect(points(from, to, bucketSeconds)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})
