import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { parseCnpj } from '../../tenants/cnpj.ts'
import { jsonPointerForm } from './json-pointer.ts'
import { defaultCallbackHeader, maxUpstreams, type UpstreamSettings } from './upstream-settings.ts'

/** One thing that is wrong with the file: where, such as `payments.origin`, and what. Values are never told, as they may be secret. */
export type FileProblem = { at: string; message: string }

/** Scheme, host and port alone, as people write it. */
export const originOf = z
  .url({ protocol: /^https?$/, error: 'expected http://… or https://…' })
  .refine(isOrigin, 'expected an origin: scheme, host and port, nothing else')
  .transform((text) => new URL(text).origin)
export const pathOf = z.string().regex(/^\/[!"$-~]*$/, 'expected a path that starts with /')
export const pointerOf = z
  .string()
  .regex(jsonPointerForm, 'expected a JSON pointer (RFC 6901), such as /data/id')
/** What a header can carry. */
export const apiKeyOf = z
  .string()
  .regex(/^[!-~]{1,4096}$/, 'expected up to 4,096 printable ASCII characters without blanks')
export const upstreamTimeoutMs = { min: 1, max: 3_600_000 }

const nameForm = /^\w[\w-]{0,63}$/

/** Headers that the call itself needs. */
const taken = /^(authorization|connection|content-.*|expect|host|idempotency-key|transfer-encoding|upgrade)$/i
const headerName = z
  .string()
  .regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'expected the name of a header')
  .refine((name) => !taken.test(name), 'this header has another use in the call')

const cnpj = z.string().transform((text, context) => {
  try {
    return parseCnpj(text)
  } catch {
    context.addIssue('expected a valid CNPJ')
    return z.NEVER
  }
})
const timeoutExpected = `expected whole milliseconds from ${upstreamTimeoutMs.min} to ${upstreamTimeoutMs.max.toLocaleString('en')}`

const entry = z
  .strictObject({
    name: z.string().regex(nameForm, 'expected up to 64 letters, digits, _ and -'),
    origin: originOf,
    apiKey: apiKeyOf.optional(),
    apiKeyFile: z.string().min(1).optional(),
    tokenPath: pathOf.nullable().default('/auth/token'),
    requestPath: pathOf,
    idPointer: pointerOf.default('/id'),
    replyIdPointer: pointerOf.optional(),
    errorPointer: pointerOf.nullish(),
    timeoutMs: z
      .int(timeoutExpected)
      .min(upstreamTimeoutMs.min, timeoutExpected)
      .max(upstreamTimeoutMs.max, timeoutExpected)
      .default(5_000),
    deliverReplies: z.boolean('expected true or false').default(true),
    callbackHeader: headerName.nullable().default(defaultCallbackHeader),
    tenants: z.array(cnpj).min(1, 'expected at least one CNPJ').optional(),
  })
  .refine(
    ({ apiKey, apiKeyFile }) => (apiKey === undefined) !== (apiKeyFile === undefined),
    // Also when another field is wrong, so that all problems are told at once.
    {
      error: 'expected apiKey or apiKeyFile, one of them',
      when: ({ value }) => z.object({}).safeParse(value).success,
    },
  )

const entries = z
  .array(entry, 'expected a list of upstreams')
  .max(maxUpstreams, `expected at most ${maxUpstreams} upstreams`)

type Read = { upstreams: UpstreamSettings[]; problems: FileProblem[] }

/**
 * Reads the upstreams from a JSON file, with every problem found. API keys may stand in files of their own, named by `apiKeyFile`
 * from the folder of this one. Throws nothing.
 */
export function readUpstreamsFile(path: string): Read {
  const text = fileText(path)
  if (text === undefined) return wrong('', 'cannot be read')
  let listed: unknown
  try {
    listed = JSON.parse(text)
  } catch {
    // The error of the parser quotes the text, which may be a key.
    return wrong('', 'is not JSON')
  }
  const parsed = entries.safeParse(listed)
  const problems = namesGivenTwice(listed)
  for (const issue of parsed.error?.issues ?? [])
    problems.push({ at: place(listed, issue.path), message: said(issue, listed) })
  const upstreams = (parsed.data ?? []).map((one) => settingsOf(one, dirname(path), problems))
  return { upstreams, problems }
}

const wrong = (at: string, message: string): Read => ({ upstreams: [], problems: [{ at, message }] })

function settingsOf(
  { apiKeyFile, apiKey = '', ...rest }: z.output<typeof entry>,
  folder: string,
  problems: FileProblem[],
): UpstreamSettings {
  const key = apiKeyFile === undefined ? apiKey : (fileText(resolve(folder, apiKeyFile))?.trim() ?? '')
  if (!apiKeyOf.safeParse(key).success)
    problems.push({ at: `${rest.name}.apiKeyFile`, message: 'cannot be read, or holds no API key' })
  return {
    ...rest,
    apiKey: key,
    replyIdPointer: rest.replyIdPointer ?? rest.idPointer,
    errorPointer: rest.errorPointer ?? undefined,
    tenants: rest.tenants,
  }
}

function namesGivenTwice(listed: unknown): FileProblem[] {
  const names = Array.isArray(listed) ? listed.map(nameOf).filter((name) => name !== undefined) : []
  const twice = new Set(names.filter((name, i) => names.indexOf(name) !== i))
  return [...twice].map((name) => ({ at: name, message: 'this name is given twice' }))
}

/** `payments.origin`, or `[2].origin` where the upstream has no name. */
function place(listed: unknown, [index, ...rest]: readonly PropertyKey[]): string {
  if (index === undefined) return ''
  return [nameOf((listed as unknown[])[Number(index)]) ?? `[${String(index)}]`, ...rest.map(String)].join('.')
}

function nameOf(one: unknown): string | undefined {
  const name = (one as { name?: unknown } | null)?.name
  return typeof name === 'string' && nameForm.test(name) ? name : undefined
}

function said(issue: z.core.$ZodIssue, listed: unknown): string {
  if (issue.code === 'unrecognized_keys') return `there is no ${issue.keys.join(', ')}`
  const given = issue.path.reduce<unknown>(
    (value, name) => (value as Record<PropertyKey, unknown>)[name],
    listed,
  )
  if (given === undefined) return 'is missing'
  return issue.message
}

function isOrigin(text: string): boolean {
  // Which has been told already.
  if (!URL.canParse(text)) return true
  const { username, password, pathname, search, hash } = new URL(text)
  return `${username}${password}${search}${hash}` === '' && pathname === '/' && !/[?#@]/.test(text)
}

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
