import { stripVTControlCharacters } from 'node:util'

const width = (text: string) => [...stripVTControlCharacters(text)].length
const gap = '  '

/** Lines with columns as wide as their widest cell, the heading first. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [heading, ...rows]
  const widths = heading.map((_title, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  const padded = (text: string, column: number) => text + ' '.repeat((widths[column] ?? 0) - width(text))
  return all.map((row) =>
    heading
      .map((_title, column) => padded(row[column] ?? '', column))
      .join(gap)
      .trimEnd(),
  )
}
