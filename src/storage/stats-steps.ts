import { type JobStats, statNames } from '../history/job-stats.ts'
import type { Binds, Step } from './sql.ts'

const places = ['span_ms', 'begins_at', 'cnpj', 'queue', 'destination'] as const
const latencyPlaces = [...places, 'latency'] as const

/** Adds a row unless there is one with this key. */
export type InsertMissing = (table: string, key: readonly string[], columns: readonly string[]) => string

/** What tells that the position was moved by this very transaction, and by no earlier one. */
const isOurs = 'EXISTS (SELECT 1 FROM history_meta WHERE last_batch = :batch_id)'
const where = (columns: readonly string[]) => columns.map((column) => `${column} = :${column}`).join(' AND ')

const addCounts = `UPDATE job_stats SET ${statNames.map((name) => `${name} = ${name} + :${name}`).join(', ')}
  WHERE ${where(places)} AND ${isOurs}`
const addLatencies = `UPDATE job_latencies SET jobs = jobs + :jobs WHERE ${where(latencyPlaces)} AND ${isOurs}`

const countColumns = [...places, ...statNames]
const latencyColumns = [...latencyPlaces, 'jobs']

/** Adds what was counted to what is there, provided that the transaction has moved the position as `batchId` before. */
export function statsSteps(
  stats: readonly JobStats[],
  batchId: string,
  insertMissing: InsertMissing,
): Step[] {
  const counts = stats.map((one) => ({ ...placeOf(one), ...countsOf(one) }))
  const latencies = stats.flatMap((one) =>
    [...one.latencies].map(([latency, jobs]) => ({ ...placeOf(one), latency, jobs })),
  )
  const ours = (row: Binds) => ({ ...row, batch_id: batchId })
  return [
    { sql: insertMissing('job_stats', places, countColumns), rows: counts.map(zeros(statNames)) },
    { sql: addCounts, rows: counts.map(ours) },
    {
      sql: insertMissing('job_latencies', latencyPlaces, latencyColumns),
      rows: latencies.map(zeros(['jobs'])),
    },
    { sql: addLatencies, rows: latencies.map(ours) },
  ]
}

const placeOf = ({ spanMs, at, cnpj, queue, destination }: JobStats) => ({
  span_ms: spanMs,
  begins_at: at,
  ...{ cnpj, queue, destination },
})

const countsOf = (stats: JobStats) => Object.fromEntries(statNames.map((name) => [name, stats[name]]))

const zeros =
  (names: readonly string[]) =>
  (row: Binds): Binds => ({ ...row, ...Object.fromEntries(names.map((name) => [name, 0])) })
