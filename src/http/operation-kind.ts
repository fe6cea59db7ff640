import { getOperationAST, type OperationTypeNode } from 'graphql'
import { parseDocument } from '../graphql/document.ts'
import type { OperationParams } from '../graphql/operation-stream.ts'

/** The kind of operation; undefined where it cannot be told, which GraphQL explains better. */
export function operationKind({ query, operationName }: OperationParams): OperationTypeNode | undefined {
  try {
    return getOperationAST(parseDocument(query), operationName)?.operation
  } catch {
    return undefined
  }
}
