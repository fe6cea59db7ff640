import { z } from 'zod'
import { GanchoError } from '../errors.ts'

const record = z.record(z.string(), z.unknown()).nullish()
const form = z.object({
  query: z.string().nullish(),
  operationName: z.string().nullish(),
  variables: record,
  extensions: record,
})

/** What a request has of it. */
export type ParamsRequest = {
  method: string | undefined
  contentType: string | null | undefined
  search: URLSearchParams
  body: string
}

/** What a client sent: a document, something that stands for it, or both. */
export type GivenParams = z.output<typeof form>

/** @throws GanchoError BAD_REQUEST for what is not of this form */
export function checkedParams(params: unknown): GivenParams {
  const parsed = form.safeParse(params)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new GanchoError('BAD_REQUEST', `${problems.join('; ')}.`)
}

/**
 * What a request asks of GraphQL (GraphQL over HTTP, sections 5 and 6), not looked at yet.
 * @throws GanchoError UNSUPPORTED_MEDIA_TYPE, INVALID_JSON, METHOD_NOT_ALLOWED
 */
export function paramsOf({ method, contentType, search, body }: ParamsRequest): unknown {
  if (method === 'GET') return ofSearch(search)
  if (method !== 'POST') throw new GanchoError('METHOD_NOT_ALLOWED')
  if (!/^application\/([\w.-]+\+)?json\b/i.test(contentType ?? ''))
    throw new GanchoError('UNSUPPORTED_MEDIA_TYPE')
  return jsonOf('body', body)
}

function ofSearch(search: URLSearchParams) {
  const json = (name: string) => {
    const text = search.get(name)
    return text ? jsonOf(name, text) : undefined
  }
  return {
    query: search.get('query'),
    operationName: search.get('operationName'),
    variables: json('variables'),
    extensions: json('extensions'),
  }
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GanchoError('INVALID_JSON', `The ${name} is not valid JSON.`, { cause })
  }
}
