import { type ErrorCode, GanchoError } from '../errors.ts'

/** What a column or a bind may hold. Booleans are 0 and 1, structures are JSON text. */
export type SqlValue = string | number | null | Uint8Array

/** Values for the `:name` binds of a statement. */
export type Binds = Readonly<Record<string, SqlValue>>

/** How the database is told to stop after `:limit` rows. */
export type LimitClause = 'LIMIT :limit' | 'FETCH FIRST :limit ROWS ONLY'

/** A result row by column name, lower case. */
export type Row = Record<string, SqlValue>

/** One statement, run once for each element of `rows`. */
export type Step = { sql: string; rows: readonly Binds[] }

/**
 * The little that the stores need of a database. Statements use named binds (`:name`) and return plain columns, so that most of
 * the SQL is the same for every database. All methods throw GanchoError DATABASE_UNAVAILABLE when the database cannot be reached,
 * is full, broken or closed.
 */
export interface SqlDatabase {
  /** Rows of a query. Sees every write that was awaited before. */
  all(sql: string, binds?: Binds): Promise<Row[]>
  /** @returns the number of rows changed. @throws ConstraintError */
  run(sql: string, binds?: Binds): Promise<number>
  /** All steps or none, in order. @returns the number of rows changed by each step. @throws ConstraintError */
  transaction(steps: readonly Step[]): Promise<number[]>
  /** Lets what was asked before finish, within a bound; what is asked after is refused. */
  close(): Promise<void>
}

/** A row breaks a unique, foreign key, check or not-null constraint. For stores alone: they turn it into what it means. */
export class ConstraintError extends Error {
  constructor(cause: unknown) {
    super('The row breaks a constraint of the database.', { cause })
    this.name = 'ConstraintError'
  }
}

/** For the `catch` of a statement: a broken constraint becomes this error of the caller's, and what else failed stays as it is. */
export const brokenConstraintAs =
  (code: ErrorCode) =>
  (error: unknown): never => {
    if (!(error instanceof ConstraintError)) throw error
    throw new GanchoError(code, undefined, { cause: error })
  }
