import { maskCredentials } from '../events/credential-headers.ts'
import type { DestinationSecrets } from './destination.ts'

/** What went out with a request and must not show in what is recorded of it. */
export type HiddenSecrets = {
  /** Names of headers, in lower case. */
  headers: readonly string[]
  /** Texts that are cut out wherever a receiver sends them back. */
  values: readonly string[]
}

const mask = '***'
/** Shorter ones are no secret worth the name, and would be found in any text. */
const shortestValue = 8

/** Say what is wanted, not who asks (RFC 9110, 12.5 and 10.1); their values are found in many an answer. */
const openHeader = /^(accept(-[a-z]+)?|cache-control|from|pragma|prefer|priority|user-agent)$/

/** `sent`: the headers that carry the destination's own values, as they go out. */
export function hiddenSecrets(
  sent: Readonly<Record<string, string>>,
  { auth }: Pick<DestinationSecrets, 'auth'>,
): HiddenSecrets {
  const hidden = Object.entries(sent).filter(([name]) => !openHeader.test(name))
  if (hidden.length === 0 && auth.kind === 'none') return { headers: [], values: [] }
  const values = [
    ...hidden.map(([, value]) => value),
    ...(auth.kind === 'basic' ? [auth.password, sent.authorization?.replace('Basic ', '')] : []),
    ...(auth.kind === 'bearer' ? [auth.token] : []),
  ].filter((value) => value !== undefined && value.length >= shortestValue) as string[]
  // Answers are often JSON, which writes quotes and backslashes in its own way.
  const inJson = values.map((value) => JSON.stringify(value).slice(1, -1))
  return { headers: hidden.map(([name]) => name), values: [...new Set([...values, ...inJson])] }
}

/** A copy in which the values of `hidden` headers, and of all that look like credentials, read `***`. */
export function maskedHeaders<Value extends string | string[]>(
  headers: Readonly<Record<string, Value>>,
  hidden: HiddenSecrets | undefined,
): Record<string, Value | '***'> {
  const masked: Record<string, Value | '***'> = maskCredentials(headers)
  for (const name of hidden?.headers ?? []) if (name in masked) masked[name] = mask
  return masked
}

/** The text without the secrets: a receiver may answer with what it was sent, and answers are shown to whoever sees the job. */
export function withoutSecrets(text: string, hidden: HiddenSecrets | undefined): string {
  return (hidden?.values ?? []).reduce((rest, value) => rest.replaceAll(value, mask), text)
}
