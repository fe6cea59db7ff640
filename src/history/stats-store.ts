import type { StatCounts } from './job-stats.ts'

export const statsFilterNames = ['cnpj', 'queue', 'destination'] as const

/** Everything that is given must hold. */
export type StatsFilter = { [Name in (typeof statsFilterNames)[number]]?: string }

/** Times are epoch milliseconds; `from` and `sizeMs` are whole spans. */
export type StatsQuery = {
  /** Which of the spans that are kept to add up. */
  spanMs: number
  from: number
  /** Not included. */
  to: number
  /** Length of one slot: the first begins at `from`. */
  sizeMs: number
  filter: StatsFilter
}

/** What the projector has counted. Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export interface StatsStore {
  /** By slot, from 0; slots in which nothing happened are left out. */
  counts(query: StatsQuery): Promise<Map<number, StatCounts>>
  /** How often deliveries took how long, by slot and `latencyBucket`; the buckets in their order. */
  latencies(query: StatsQuery): Promise<Map<number, Map<number, number>>>
  /** Removes what is older, `widthMs` of time at most. Returns how many rows went: none when nothing is left. */
  removeBefore(before: { spanMs: number; before: number; widthMs: number }): Promise<number>
}
