import { valueAt } from './json-pointer.ts'

const maxLength = 512

/**
 * The id at `pointer` in a JSON text: a text of 1 to 512 characters, or a number as it is written there. JavaScript rounds whole
 * numbers from 2^53 on, so two ids could become one; those are taken digit by digit from the text.
 * @param parsed the same text, when it has been parsed already. @throws SyntaxError when it is not JSON.
 */
export function externalIdIn(
  text: string,
  pointer: string,
  parsed: unknown = JSON.parse(text),
): string | undefined {
  const id = valueAt(parsed, pointer)
  if (typeof id === 'string') return fitting(id)
  if (typeof id !== 'number') return undefined
  if (Number.isSafeInteger(id)) return String(id)
  return fitting(String(valueAt(JSON.parse(text, numbersAsWritten), pointer)))
}

const fitting = (id: string) => (id.length > 0 && id.length <= maxLength ? id : undefined)

function numbersAsWritten(_name: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? value) : value
}
