/** An empty text, or names that each follow a slash, in which `~` stands only as `~0` or `~1`. */
export const jsonPointerForm = /^(\/([^~/]|~[01])*)*$/

/**
 * The value that `pointer` names in a parsed JSON text, undefined where there is none (RFC 6901). Only what the text itself holds is
 * found, nothing that JavaScript adds to it, such as `length` or `constructor`.
 */
export function valueAt(value: unknown, pointer: string): unknown {
  let found = value
  for (const name of namesOf(pointer)) found = child(found, name)
  return found
}

const namesOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))

function child(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^(0|[1-9]\d*)$/.test(name) ? value[Number(name)] : undefined
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Record<string, unknown>)[name]
}
