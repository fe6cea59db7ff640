import oracledb from 'oracledb'
import type { Binds, SqlValue, Step } from '../sql.ts'
import { boundValue } from './bind-values.ts'

/** What SQL takes as a plain value in every configuration of the server (MAX_STRING_SIZE); more goes by way of a temporary LOB. */
const maxTextBytes = 4_000
const maxRawBytes = 2_000

type Batch = {
  rows: Record<string, SqlValue | Buffer>[]
  bindDefs: Record<string, oracledb.BindDefinition>
}

/** Runs the statement for each row, in as few round trips as its binds allow. @returns the number of rows changed. */
export async function runStep(connection: oracledb.Connection, { sql, rows }: Step): Promise<number> {
  let changed = 0
  for (const { rows: bound, bindDefs } of batchesOf(rows)) {
    // DDL and statements without binds take no batch.
    const result =
      Object.keys(bindDefs).length === 0
        ? await connection.execute(sql, {}, { autoCommit: false })
        : await connection.executeMany(sql, bound as oracledb.BindParameters[], {
            bindDefs,
            autoCommit: false,
          })
    changed += result.rowsAffected ?? 0
  }
  return changed
}

/** A single value, for a query. */
export function bindParameter(value: SqlValue): oracledb.BindParameter {
  const { type } = bindDefOf([value])
  return { val: value instanceof Uint8Array ? asBuffer(value) : boundValue(value), ...(type && { type }) }
}

/** A batch has one type for each bind, so rows with large values go apart from those without. */
export function batchesOf(rows: readonly Binds[]): Batch[] {
  const groups = Map.groupBy(rows, largeNames)
  return [...groups.values()].map((group) => ({ rows: group.map(boundRow), bindDefs: bindDefsOf(group) }))
}

const isLarge = (value: SqlValue) =>
  typeof value === 'string'
    ? Buffer.byteLength(value) > maxTextBytes
    : value instanceof Uint8Array && value.byteLength > maxRawBytes

const largeNames = (row: Binds) =>
  Object.keys(row)
    .filter((name) => isLarge(row[name] ?? null))
    .join()

const boundRow = (row: Binds): Record<string, SqlValue | Buffer> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? asBuffer(value) : boundValue(value),
    ]),
  )

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength)

function bindDefsOf(rows: readonly Binds[]): Record<string, oracledb.BindDefinition> {
  const names = Object.keys(rows[0] ?? {})
  return Object.fromEntries(
    names.map((name) => [name, bindDefOf(rows.map((row) => boundValue(row[name] ?? null)))]),
  )
}

function bindDefOf(values: readonly SqlValue[]): oracledb.BindDefinition {
  const some = values.find((value) => value !== null)
  const large = some !== undefined && isLarge(some)
  if (typeof some === 'number') return { type: oracledb.DB_TYPE_NUMBER }
  if (some instanceof Uint8Array)
    return large ? { type: oracledb.DB_TYPE_BLOB } : { type: oracledb.DB_TYPE_RAW, maxSize: longest(values) }
  return large
    ? { type: oracledb.DB_TYPE_CLOB }
    : { type: oracledb.DB_TYPE_VARCHAR, maxSize: longest(values) }
}

const bytesOf = (value: SqlValue) =>
  typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.byteLength : 0

const longest = (values: readonly SqlValue[]) =>
  values.reduce<number>((most, value) => Math.max(most, bytesOf(value)), 1)
