import { type StatCounts, statNames } from '../history/job-stats.ts'
import type { StatsQuery, StatsStore } from '../history/stats-store.ts'
import type { Binds, Row, SqlDatabase } from './sql.ts'

const sums = statNames.map((name) => `SUM(${name}) AS ${name}`).join(', ')
const removed = (table: string) => `DELETE FROM ${table} WHERE span_ms = :span_ms AND begins_at < :before
  AND begins_at <= (SELECT MIN(begins_at) FROM ${table} WHERE span_ms = :span_ms) + :width`

/** What the projector has counted. The SQL is the same for every database. */
export class SqlStatsStore implements StatsStore {
  readonly #database: SqlDatabase

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  async counts(query: StatsQuery): Promise<Map<number, StatCounts>> {
    const { sql, binds } = slots('job_stats', statNames, query)
    const rows = await this.#database.all(`SELECT slot_at, ${sums} FROM (${sql}) GROUP BY slot_at`, binds)
    return new Map(
      rows.map((row) => [
        slotOf(row, query),
        Object.fromEntries(statNames.map((name) => [name, Number(row[name])])) as StatCounts,
      ]),
    )
  }

  async latencies(query: StatsQuery): Promise<Map<number, Map<number, number>>> {
    const { sql, binds } = slots('job_latencies', ['latency', 'jobs'], query)
    const rows = await this.#database.all(
      `SELECT slot_at, latency, SUM(jobs) AS jobs FROM (${sql}) GROUP BY slot_at, latency ORDER BY slot_at, latency`,
      binds,
    )
    const bySlot = Map.groupBy(rows, (row) => slotOf(row, query))
    return new Map(
      [...bySlot].map(([slot, group]) => [
        slot,
        new Map(group.map(({ latency, jobs }) => [Number(latency), Number(jobs)])),
      ]),
    )
  }

  async removeBefore({ spanMs, before, widthMs }: { spanMs: number; before: number; widthMs: number }) {
    const rows = [{ span_ms: spanMs, before, width: widthMs }]
    const changes = await this.#database.transaction([
      { sql: removed('job_stats'), rows },
      { sql: removed('job_latencies'), rows },
    ])
    return changes.reduce((sum, one) => sum + one, 0)
  }
}

const slotOf = ({ slot_at }: Row, { from, sizeMs }: StatsQuery) => (Number(slot_at) - from) / sizeMs

/** Rows with the beginnings of their slots. A query of its own, because OracleDB takes binds in a grouped expression for different ones each time. */
function slots(table: string, columns: readonly string[], query: StatsQuery): { sql: string; binds: Binds } {
  const { spanMs, from, to, sizeMs, filter } = query
  const given = Object.entries(filter).filter(([, value]) => value !== undefined)
  const conditions = given.map(([column]) => ` AND ${column} = :${column}`).join('')
  return {
    sql: `SELECT begins_at - MOD(begins_at - :begin_at, :size_ms) AS slot_at, ${columns.join(', ')} FROM ${table}
      WHERE span_ms = :span_ms AND begins_at >= :begin_at AND begins_at < :end_at${conditions}`,
    binds: { ...Object.fromEntries(given), span_ms: spanMs, begin_at: from, end_at: to, size_ms: sizeMs },
  }
}
