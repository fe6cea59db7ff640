import type { Row, SqlValue } from '../sql.ts'

/**
 * Oracle takes an empty string for NULL, which means something else here. A NUL character stands for it, and strings of NULs alone
 * are one longer, so that what is read is always what was written.
 */
const onlyNuls = /^\0*$/

/** What is bound for `value`. */
export function boundValue(value: SqlValue): SqlValue {
  return typeof value === 'string' && onlyNuls.test(value) ? `${value}\0` : value
}

/** The row that was written, by column name in lower case. */
export function rowOf(columns: readonly string[], values: readonly unknown[]): Row {
  return Object.fromEntries(columns.map((column, at) => [column.toLowerCase(), readValue(values[at])]))
}

function readValue(value: unknown): SqlValue {
  if (typeof value === 'string' && value !== '' && onlyNuls.test(value)) return value.slice(1)
  return (value ?? null) as SqlValue
}
