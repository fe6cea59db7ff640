import type { IncomingMessage } from 'node:http'
import { getOperationAST, type OperationTypeNode } from 'graphql'
import { GanchoError } from '../errors.ts'
import { parseDocument } from '../graphql/document.ts'
import type { OperationParams } from '../graphql/operation-stream.ts'

/**
 * What a request asks of GraphQL (GraphQL over HTTP, sections 5 and 6), not looked at yet.
 * @throws GanchoError BAD_REQUEST, INVALID_JSON, METHOD_NOT_ALLOWED
 */
export function graphqlParams(request: IncomingMessage, query: URLSearchParams, body: Buffer): unknown {
  if (request.method === 'GET') return ofQuery(query)
  if (request.method !== 'POST') throw new GanchoError('METHOD_NOT_ALLOWED')
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.headers['content-type'] ?? ''))
    throw new GanchoError('BAD_REQUEST', 'Send the operation as application/json.')
  return jsonOf('body', body.toString())
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

/** The kind of operation; undefined where it cannot be told, which GraphQL explains better. */
export function operationKind({ query, operationName }: OperationParams): OperationTypeNode | undefined {
  try {
    return getOperationAST(parseDocument(query), operationName)?.operation
  } catch {
    return undefined
  }
}
