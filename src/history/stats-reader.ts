import { GanchoError } from '../errors.ts'
import { bucketLatency, type StatCounts, statNames, statSpans } from './job-stats.ts'
import type { StatsFilter, StatsStore } from './stats-store.ts'

/** Milliseconds from acceptance to delivery, see `bucketLatency` for how exact. */
export type Latencies = { count: number; p50: number; p90: number; p95: number; p99: number }

/** What happened between two times, in epoch milliseconds. */
export type StatsPoint = StatCounts & { from: number; to: number; latency: Latencies | null }

export type StatsRange = { from: number; to: number; bucketSeconds: number; filter: StatsFilter }

export type StatsReader = {
  /**
   * One point for each slot of time, in their order, those without anything included. `from` is rounded down to a whole minute, or hour.
   * @throws GanchoError BAD_REQUEST for a range that gives no points, too many, or finer ones than are kept
   */
  points(range: StatsRange): Promise<StatsPoint[]>
}

export const maxPoints = 1_000
const [minuteMs, hourMs] = statSpans

/** `minutesKeptMs`: how long there are minutes; older times are known by the hour. */
export function createStatsReader(deps: {
  store: StatsStore
  minutesKeptMs: number
  now: () => number
}): StatsReader {
  const { store, minutesKeptMs, now } = deps
  return {
    async points(range) {
      const sizeMs = range.bucketSeconds * 1_000
      const spanMs = sizeMs % hourMs === 0 ? hourMs : minuteMs
      const from = range.from - (range.from % spanMs)
      const count = countOf(from, range.to, sizeMs)
      if (spanMs === minuteMs && from < now() - minutesKeptMs - minuteMs)
        throw new GanchoError(
          'BAD_REQUEST',
          `Minutes are kept for ${minutesKeptMs / hourMs} hours; ask for older times by whole hours.`,
        )
      const query = { spanMs, from, to: from + count * sizeMs, sizeMs, filter: range.filter }
      const [counts, latencies] = await Promise.all([store.counts(query), store.latencies(query)])
      return Array.from({ length: count }, (_, slot) => ({
        ...(counts.get(slot) ?? none),
        from: from + slot * sizeMs,
        to: from + (slot + 1) * sizeMs,
        latency: percentiles(latencies.get(slot)),
      }))
    },
  }
}

const none = Object.fromEntries(statNames.map((name) => [name, 0])) as StatCounts

function countOf(from: number, to: number, sizeMs: number): number {
  if (sizeMs <= 0 || sizeMs % minuteMs !== 0)
    throw new GanchoError('BAD_REQUEST', 'bucketSeconds must be a multiple of 60.')
  if (to <= from) throw new GanchoError('BAD_REQUEST', 'to must be later than from.')
  const count = Math.ceil((to - from) / sizeMs)
  if (count > maxPoints)
    throw new GanchoError('BAD_REQUEST', `That would be ${count} points; ${maxPoints} are the most.`)
  return count
}

/** The smallest bucket within which that share of deliveries was. */
function percentiles(buckets: ReadonlyMap<number, number> | undefined): Latencies | null {
  if (!buckets) return null
  const count = [...buckets.values()].reduce((sum, jobs) => sum + jobs, 0)
  const at = (share: number) => {
    let left = Math.ceil(count * share)
    for (const [bucket, jobs] of buckets) {
      left -= jobs
      if (left <= 0) return bucketLatency(bucket)
    }
    return 0
  }
  return { count, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) }
}
