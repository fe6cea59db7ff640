import type { JournalEntry } from '../journal/entry.ts'

/** What is counted of jobs, each by its status change. */
export const statNames = ['received', 'delivered', 'failed', 'retried', 'requeued', 'discarded'] as const
export type StatName = (typeof statNames)[number]
export type StatCounts = Record<StatName, number>

/** What happened in one span of time for one tenant, queue and destination. */
export type JobStats = StatCounts & {
  spanMs: number
  /** When the span begins, epoch milliseconds. */
  at: number
  cnpj: string
  queue: string
  destination: string
  /** How often it took how long from acceptance to delivery, by `latencyBucket`. */
  latencies: Map<number, number>
}

const minuteMs = 60_000
const hourMs = 3_600_000
/** Each is kept for a time of its own: minutes are many. */
export const statSpans = [minuteMs, hourMs] as const

/**
 * Latencies are counted in buckets that grow by a tenth each, so that counts of different times and places add up, and what they
 * tell is off by less than 5 %. The same idea as DDSketch (Masson, Rim, Lee, 2019), with one bucket for everything up to 1 ms.
 */
const growth = 1.1

export const latencyBucket = (ms: number): number =>
  ms <= 1 ? 0 : Math.ceil(Math.log(ms) / Math.log(growth) - 1e-9)

/** The value in the middle of a bucket, in milliseconds: as far from its lower as from its upper end, in proportion. */
export const bucketLatency = (bucket: number): number =>
  bucket === 0 ? 1 : (2 * growth ** bucket) / (growth + 1)

/**
 * Counts journal entries. `receivedAt`: when jobs were accepted, as far as that is known. Latencies are those of first rounds: a job
 * that somebody queued again was late for reasons of its own.
 */
export function countEntries(
  entries: readonly JournalEntry[],
  receivedAt: ReadonlyMap<number, number>,
): JobStats[] {
  const stats = new Map<string, JobStats>()
  for (const entry of entries) {
    const name = statOf(entry)
    if (!name) continue
    const accepted = receivedAt.get(entry.n)
    const isFirst = name === 'delivered' && entry.round === 0 && accepted !== undefined
    for (const spanMs of statSpans) {
      const one = statsAt(stats, entry, spanMs)
      one[name] += 1
      if (isFirst) addLatency(one, entry.at - accepted)
    }
  }
  return [...stats.values()]
}

function statOf({ status, previous }: JournalEntry): StatName | undefined {
  if (previous === null) return 'received'
  if (status === 'DELIVERED') return 'delivered'
  if (status === 'FAILED') return 'failed'
  if (status === 'DISCARDED') return 'discarded'
  if (status === 'RETRYING') return 'retried'
  return status === 'QUEUED' && (previous === 'FAILED' || previous === 'DELIVERED') ? 'requeued' : undefined
}

function statsAt(stats: Map<string, JobStats>, entry: JournalEntry, spanMs: number): JobStats {
  const { cnpj, queue, destination } = entry
  const at = entry.at - (entry.at % spanMs)
  const key = JSON.stringify([spanMs, at, cnpj, queue, destination])
  const known = stats.get(key)
  if (known) return known
  const counts = Object.fromEntries(statNames.map((name) => [name, 0])) as StatCounts
  const fresh = { ...counts, spanMs, at, cnpj, queue, destination, latencies: new Map() }
  stats.set(key, fresh)
  return fresh
}

function addLatency({ latencies }: JobStats, ms: number): void {
  const bucket = latencyBucket(ms)
  latencies.set(bucket, (latencies.get(bucket) ?? 0) + 1)
}
