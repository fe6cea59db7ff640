import type { Binds, SqlValue, Step } from '../sql.ts'

/** What a database thread is started with. */
export type ThreadData = { path: string; access: 'read' | 'write'; busyTimeoutMs: number }

/** Asks for what another query has found: its bind `:found` is a JSON list of what that one has in `column`. */
export type FollowingQuery = { sql: string; column: string }

export type ThreadQuestion =
  | { id: number; do: 'all'; sql: string; binds: Binds; following?: readonly FollowingQuery[] }
  | { id: number; do: 'transaction'; steps: readonly Step[] }

/**
 * What goes to a thread: questions that came at one time, because each message wakes it and costs more than a short answer. `close`
 * closes the file and ends the thread, after everything asked before it.
 */
export type ThreadRequest = readonly ThreadQuestion[] | 'close'

/** An SQLite error without its prototype, which structured clone would drop together with `errcode`. */
export type ThreadFailure = { message: string; errcode: number | null; stack: string | undefined }

/** Names apart from values: what goes between threads is copied, the names of each row too. */
export type Table = { columns: string[]; rows: SqlValue[][] }

export type ThreadAnswer =
  /** Of the query, and of those that follow it. */
  { id: number; tables: Table[] } | { id: number; changes: number[] } | { id: number; failure: ThreadFailure }
