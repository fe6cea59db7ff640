import type { Output } from '../output.ts'
import { table } from '../table.ts'

type Page = {
  /** Of what, in the plural. */
  what: string
  heading: readonly string[]
  rows: readonly (readonly string[])[]
  hasNextPage: boolean
  endCursor: string | null
  totalCount: number
}

/** A page of a list as a table, and how to see the next one. */
export function showPage(
  { what, heading, rows, hasNextPage, endCursor, totalCount }: Page,
  output: Output,
): void {
  if (rows.length === 0) {
    output.remark(`There are no such ${what}.`)
    return
  }
  for (const line of table(heading, rows)) output.line(line)
  if (hasNextPage) output.remark(`${rows.length} of ${totalCount}. The next ones: --after ${endCursor}`)
}
