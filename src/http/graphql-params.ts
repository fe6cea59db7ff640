import type { IncomingMessage } from 'node:http'
import { getOperationAST, type OperationTypeNode } from 'graphql'
import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { parseDocument } from '../graphql/document.ts'
import type { OperationParams } from '../graphql/operation-stream.ts'

const record = z.record(z.string(), z.unknown()).nullish()
const paramsForm = z.object({
  query: z.string().min(1),
  operationName: z.string().nullish(),
  variables: record,
  extensions: record,
})

/**
 * What a request asks of GraphQL (GraphQL over HTTP, sections 5 and 6).
 * @throws GanchoError BAD_REQUEST, INVALID_JSON, METHOD_NOT_ALLOWED
 */
export function graphqlParams(
  request: IncomingMessage,
  query: URLSearchParams,
  body: Buffer,
): OperationParams {
  if (request.method === 'GET') return checked(ofQuery(query))
  if (request.method !== 'POST') throw new GanchoError('METHOD_NOT_ALLOWED')
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.headers['content-type'] ?? ''))
    throw new GanchoError('BAD_REQUEST', 'Send the operation as application/json.')
  return checked(jsonOf('body', body.toString()))
}

function ofQuery(query: URLSearchParams) {
  const json = (name: string) => {
    const text = query.get(name)
    return text ? jsonOf(name, text) : undefined
  }
  return {
    query: query.get('query'),
    operationName: query.get('operationName'),
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

function checked(params: unknown): OperationParams {
  const parsed = paramsForm.safeParse(params)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new GanchoError('BAD_REQUEST', `${problems.join('; ')}.`)
}

/** The kind of operation; undefined where it cannot be told, which GraphQL explains better. */
export function operationKind({ query, operationName }: OperationParams): OperationTypeNode | undefined {
  try {
    return getOperationAST(parseDocument(query), operationName)?.operation
  } catch {
    return undefined
  }
}
