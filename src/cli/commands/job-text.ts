import { type Output, printable, type Style } from '../output.ts'

const styles: Readonly<Record<string, Style>> = {
  DELIVERED: 'green',
  FAILED: 'red',
  RETRYING: 'yellow',
  HELD: 'yellow',
  DISCARDED: 'gray',
}

/** A status in its colour. */
export const statusText = (status: string, { style }: Output) => {
  const colour = styles[status]
  return colour ? style(colour, status) : printable(status)
}

/** A time as people read it, in UTC, without fractions; a dash for none. */
export const timeText = (time: string | null) => (time ? `${time.slice(0, 10)} ${time.slice(11, 19)}` : '-')

/** A text that may be missing and comes from elsewhere, made fit for a table. */
export const cell = (text: string | null | undefined, maxLength = 60) => {
  const safe = printable(text || '-')
  return safe.length > maxLength ? `${safe.slice(0, maxLength - 1)}…` : safe
}
