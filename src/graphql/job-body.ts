import { isUtf8 } from 'node:buffer'
import { isJson } from '../events/content-type.ts'

/** The body as text; null when it is none. */
export function bodyText(body: Buffer | null): string | null {
  return body && isUtf8(body) ? body.toString('utf8') : null
}

/** The body as the JSON value that it says to be, or is although nobody said so; null for everything else. */
export function bodyPayload(body: Buffer | null, contentType: string | null): unknown {
  const text = bodyText(body)
  if (text === null || (contentType !== null && !isJson(contentType))) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
