import type { Binds } from './sql.ts'

export type Query = { sql: string; binds: Binds }

/** How a page of jobs is found: by its numbers, and, where no index alone tells them, by how many candidates were looked through. */
export type Matching = {
  /** Rows with the column `n`, at most `limit`, in the order in which the page is cut (`fromEnd`: oldest first). */
  numbers: Query
  /** One row: how many candidates were looked through (`looked`), and the farthest of them (`reached`). */
  candidates: Query | null
}
