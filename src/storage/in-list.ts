import type { Binds, Row, SqlValue } from './sql.ts'

/** Lists are filled up to one of these lengths, so that few texts are parsed and cached. Oracle takes at most 1,000 in one list. */
const lengths = [1, 10, 100, 500]
const longest = 500

export type Condition = { sql: string; binds: Binds }

/** `column IN (…)` with binds `:<name>0`, `:<name>1`, …; no values match nothing. Values may repeat. */
export function inList(column: string, name: string, values: readonly SqlValue[]): Condition {
  if (values.length === 0) return { sql: '1 = 0', binds: {} }
  const groups: string[] = []
  const binds: Record<string, SqlValue> = {}
  for (let from = 0; from < values.length; from += longest) {
    const names = filledUp(values.slice(from, from + longest)).map((value, at) => {
      binds[`${name}${from + at}`] = value
      return `:${name}${from + at}`
    })
    groups.push(`${column} IN (${names.join(', ')})`)
  }
  return { sql: groups.length === 1 ? `${groups[0]}` : `(${groups.join(' OR ')})`, binds }
}

/**
 * Rows for a list of any length, `longest` different values a query: SQLite has a bound on binds, and looks each one's name up among all
 * of them. Rows stand in the order of their queries.
 */
export async function readByList(
  column: string,
  values: readonly SqlValue[],
  read: (condition: Condition) => Promise<Row[]>,
): Promise<Row[]> {
  const distinct = [...new Set(values)]
  let rows: Row[] = []
  for (let from = 0; from < distinct.length; from += longest)
    rows = rows.concat(await read(inList(column, column, distinct.slice(from, from + longest))))
  return rows
}

function filledUp(values: readonly SqlValue[]): SqlValue[] {
  const length = lengths.find((one) => one >= values.length) ?? longest
  return [...values, ...Array.from({ length: length - values.length }, () => values[0] ?? null)]
}
