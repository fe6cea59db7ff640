import type { Binds, SqlValue, Step } from '../sql.ts'

/** What a database thread is started with. */
export type ThreadData = { path: string; access: 'read' | 'write'; busyTimeoutMs: number }

export type ThreadQuestion =
  | { id: number; do: 'all'; sql: string; binds: Binds }
  | { id: number; do: 'transaction'; steps: readonly Step[] }

/**
 * What goes to a thread: questions that came at one time, because each message wakes it and costs more than a short answer. `close`
 * closes the file and ends the thread, after everything asked before it.
 */
export type ThreadRequest = readonly ThreadQuestion[] | 'close'

/** An SQLite error without its prototype, which structured clone would drop together with `errcode`. */
export type ThreadFailure = { message: string; errcode: number | null; stack: string | undefined }

export type ThreadAnswer =
  /** Names apart from values: what goes between threads is copied, the names of each row too. */
  | { id: number; columns: string[]; rows: SqlValue[][] }
  | { id: number; changes: number[] }
  | { id: number; failure: ThreadFailure }
