import type { Writable } from 'node:stream'
import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

/** Where results and remarks go. Colours are left out where the stream is no terminal, or NO_COLOR is set. */
export type Output = {
  /** A line of the result. */
  line(text?: string): void
  /** The result for programs, as one JSON text. */
  json(value: unknown): void
  /** A line beside the result, for the person who looks on. */
  remark(text: string): void
  /** Bytes of the result as they are. */
  raw(content: string): void
  style(style: Style, text: string): string
}

type Streams = { stdout: Writable; stderr: Writable }

export function createOutput({ stdout, stderr }: Streams): Output {
  return {
    line: (text = '') => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    remark: (text) => void stderr.write(`${text}\n`),
    raw: (content) => void stdout.write(content),
    style: (style, text) => styleText(style, text, { stream: stdout }),
  }
}

/** Without what would move the cursor or change the terminal: names and error texts come from elsewhere. */
export const printable = (text: string) =>
  text.replaceAll(/\p{Cc}/gu, (char) => (char === '\n' ? ' ' : '\ufffd'))
