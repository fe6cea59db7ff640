import { isUtf8 } from 'node:buffer'
import { type ParseErrorCode, visit } from 'jsonc-parser'
import { GanchoError } from '../errors.ts'

/** Where JSON breaks: line and column from 1, offset from 0, in UTF-16 units. */
export type JsonPosition = { line: number; column: number; offset: number }

type Problem = { what: string; position: JsonPosition }

// By number: the library declares a const enum, which exists for compilers only.
const whatByCode: Readonly<Record<number, string>> = {
  1: 'unexpected symbol',
  2: 'malformed number',
  3: 'a property name in double quotes is expected',
  4: 'a value is expected',
  5: 'a colon is expected',
  6: 'a comma is expected',
  7: 'a closing brace is expected',
  8: 'a closing bracket is expected',
  9: 'nothing more is expected',
  10: 'comments are not allowed',
  11: 'a comment does not end',
  12: 'a text does not end',
  13: 'malformed number',
  14: 'malformed \\u escape',
  15: 'malformed escape',
  16: 'control character in a text',
} satisfies Record<ParseErrorCode, string>

/**
 * Parses JSON as of RFC 8259, in UTF-8 without a byte order mark.
 * @throws GanchoError INVALID_JSON, saying what is wrong and where (`details.position`, a JsonPosition)
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes))
    throw new GanchoError('INVALID_JSON', 'The body is not valid JSON: it is not valid UTF-8.')
  const text = bytes.toString('utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refusal(text, error)
  }
}

function refusal(text: string, cause: unknown): GanchoError {
  const problem = firstProblem(text)
  if (!problem)
    return new GanchoError('INVALID_JSON', `The body is not valid JSON: ${String(cause)}`, { cause })
  const { line, column, offset } = problem.position
  return new GanchoError(
    'INVALID_JSON',
    `The body is not valid JSON: ${problem.what} at line ${line}, column ${column} (offset ${offset}).`,
    { cause, details: { position: problem.position } },
  )
}

/** V8 often leaves out the position, so a second parser looks for it. Undefined when that one finds nothing wrong. */
function firstProblem(text: string): Problem | undefined {
  let found: Problem | undefined
  const stop = new Error('found')
  const onError = (code: ParseErrorCode, offset: number, _length: number, line: number, column: number) => {
    found = {
      what: whatByCode[code] ?? 'unexpected symbol',
      position: { line: line + 1, column: column + 1, offset },
    }
    throw stop
  }
  try {
    visit(text, { onError }, { disallowComments: true, allowTrailingComma: false })
  } catch (error) {
    // The parser is recursive: it runs out of stack in what is nested some thousand levels deep.
    if (error !== stop && !(error instanceof RangeError)) throw error
  }
  return found
}
