import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CountedStats, HistoryStore } from '../../src/history/history-store.ts'
import { type JobStats, type StatCounts, statNames, statSpans } from '../../src/history/job-stats.ts'
import type { StatsQuery, StatsStore } from '../../src/history/stats-store.ts'
import { sampleJob, snapshot } from './sample-jobs.ts'

type Opened = { history: HistoryStore; stats: StatsStore; close(): Promise<void> }

const [minuteMs, hourMs] = statSpans
const noon = 1_800_000_000_000 - (1_800_000_000_000 % hourMs)
const at = (journalId: string, epoch = 'first') => ({ epoch, journalId })
const zeros = Object.fromEntries(statNames.map((name) => [name, 0])) as StatCounts
const counts = (some: Partial<StatCounts>) => ({ ...zeros, ...some })
const statsOf = (some: Partial<JobStats>): JobStats => ({
  ...zeros,
  ...{ spanMs: minuteMs, at: noon, cnpj: '12ABC34501DE35', queue: 'nifi', destination: 'default' },
  latencies: new Map(),
  ...some,
})
const query = (some: Partial<StatsQuery> = {}): StatsQuery => ({
  ...{ spanMs: minuteMs, from: noon, to: noon + hourMs, sizeMs: minuteMs, filter: {} },
  ...some,
})

/** What every StatsStore promises of what the history store beside it has counted. `open` gives stores that are empty. */
export function statsStoreContract(open: () => Promise<Opened>) {
  describe('stats store', () => {
    let opened: Opened
    let store: StatsStore
    beforeEach(async () => {
      opened = await open()
      store = opened.stats
    })
    afterEach(() => opened.close())

    const record = (to: string, from: string, stats: CountedStats['stats'], epoch = 'first') =>
      opened.history.record([], at(to, epoch), { from: at(from, epoch), stats })

    it('has nothing at first', async () => {
      expect(await store.counts(query())).toEqual(new Map())
      expect(await store.latencies(query())).toEqual(new Map())
    })

    it('adds up what was counted at different times', async () => {
      const latencies = new Map([
        [0, 1],
        [57, 2],
      ])
      expect(await record('5-0', '0-0', [statsOf({ received: 3, delivered: 2, latencies })])).toBe(true)
      const more = statsOf({ delivered: 1, failed: 1, retried: 4, latencies: new Map([[57, 1]]) })
      expect(await record('9-0', '5-0', [more, statsOf({ at: noon + minuteMs, requeued: 1 })])).toBe(true)
      expect(await store.counts(query())).toEqual(
        new Map([
          [0, counts({ received: 3, delivered: 3, failed: 1, retried: 4 })],
          [1, counts({ requeued: 1 })],
        ]),
      )
      expect(await store.latencies(query())).toEqual(
        new Map([
          [
            0,
            new Map([
              [0, 1],
              [57, 3],
            ]),
          ],
        ]),
      )
    })

    it('counts nothing twice: not what is repeated, nor what a second reader read from the same place or from an older one', async () => {
      const once = [statsOf({ received: 1, latencies: new Map([[3, 1]]) })]
      expect(await record('5-0', '0-0', once)).toBe(true)
      expect(await record('5-0', '0-0', once)).toBe(false)
      expect(await record('7-0', '0-0', once)).toBe(false)
      expect(await opened.history.position()).toEqual(at('5-0'))
      expect(await record('7-0', '5-0', once)).toBe(true)
      expect(await record('6-0', '5-0', once)).toBe(false)
      expect(await opened.history.position()).toEqual(at('7-0'))
      expect(await store.counts(query())).toEqual(new Map([[0, counts({ received: 2 })]]))
      expect(await store.latencies(query())).toEqual(new Map([[0, new Map([[3, 2]])]]))
    })

    it('goes on counting from the beginning of a new data set, once', async () => {
      const once = [statsOf({ received: 1 })]
      await record('500-0', '0-0', once)
      expect(await record('9-0', '5-0', once, 'second')).toBe(false)
      expect(await record('9-0', '0-0', once, 'second')).toBe(true)
      expect(await record('9-0', '0-0', once, 'second')).toBe(false)
      expect(await opened.history.position()).toEqual(at('9-0', 'second'))
      expect(await store.counts(query())).toEqual(new Map([[0, counts({ received: 2 })]]))
    })

    it('writes what comes late of jobs, also where it counts nothing', async () => {
      await record('5-0', '0-0', [])
      const late = { from: at('0-0'), stats: [statsOf({ received: 1 })] }
      expect(await opened.history.record([snapshot(sampleJob(1))], at('9-0'), late)).toBe(false)
      expect(await opened.history.jobs([1])).toHaveLength(1)
      expect(await store.counts(query())).toEqual(new Map([[0, zeros]]))
    })

    it('adds up slots of any whole number of spans, from the beginning of the range to its end', async () => {
      const minutes = Array.from({ length: 10 }, (_, i) => statsOf({ at: noon + i * minuteMs, received: 1 }))
      await record('5-0', '0-0', [...minutes, statsOf({ spanMs: hourMs, received: 10 })])
      const range = { from: noon + 2 * minuteMs, to: noon + 9 * minuteMs, sizeMs: 3 * minuteMs }
      expect([...(await store.counts(query(range)))].map(([slot, { received }]) => [slot, received])).toEqual(
        [
          [0, 3],
          [1, 3],
          [2, 1],
        ],
      )
      expect(await store.counts(query({ spanMs: hourMs, sizeMs: hourMs }))).toEqual(
        new Map([[0, counts({ received: 10 })]]),
      )
    })

    it('tells tenants, queues and destinations apart', async () => {
      const [one, two] = ['00000000000191', '12ABC34501DE35']
      await record('5-0', '0-0', [
        statsOf({ cnpj: one, received: 1, latencies: new Map([[1, 1]]) }),
        statsOf({ cnpj: two, received: 2 }),
        statsOf({ cnpj: two, queue: 'slow', received: 4 }),
        statsOf({ cnpj: two, queue: 'slow', destination: 'dst_1', received: 8 }),
      ])
      const received = async (filter: StatsQuery['filter']) =>
        (await store.counts(query({ filter }))).get(0)?.received
      expect(await received({})).toBe(15)
      expect(await received({ cnpj: one })).toBe(1)
      expect(await received({ cnpj: two, queue: 'slow' })).toBe(12)
      expect(await received({ destination: 'dst_1' })).toBe(8)
      expect(await received({ cnpj: one, destination: 'dst_1' })).toBeUndefined()
      expect(await store.latencies(query({ filter: { cnpj: two } }))).toEqual(new Map())
    })

    it('removes what is too old of one span, a bounded time at once', async () => {
      const latencies = new Map([[1, 1]])
      const minutes = [0, 1, 2, 30].map((i) => statsOf({ at: noon + i * minuteMs, received: 1, latencies }))
      await record('5-0', '0-0', [...minutes, statsOf({ spanMs: hourMs, received: 4 })])
      const old = { spanMs: minuteMs, before: noon + 3 * minuteMs, widthMs: minuteMs }
      expect(await store.removeBefore(old)).toBe(4)
      expect([...(await store.counts(query())).keys()]).toEqual([2, 30])
      expect(await store.removeBefore(old)).toBe(2)
      expect(await store.removeBefore(old)).toBe(0)
      expect([...(await store.latencies(query())).keys()]).toEqual([30])
      expect((await store.counts(query({ spanMs: hourMs, sizeMs: hourMs }))).get(0)?.received).toBe(4)
    })
  })
}
