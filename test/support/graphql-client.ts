import type { createGraphql } from '../../src/graphql/yoga.ts'
import type { Principal } from '../../src/tenants/principal.ts'
import type { TypedDocumentString } from '../gql/graphql.ts'

export type GraphqlEndpoint = ReturnType<typeof createGraphql>

export type AnsweredError = {
  message: string
  path?: (string | number)[]
  extensions: {
    code: string
    requestId: string
    details?: Record<string, unknown>
    retryAfterSeconds?: number
  }
}
export type Answer<Data> = { data?: Data | null; errors?: AnsweredError[] }

export const requestId = 'request-1'

/** Principals of these tests come without a token. */
const identify = async () => ({ kind: 'admin', name: 'admin' }) as const

/** Sends typed documents as this principal. */
export function graphqlClient(graphql: GraphqlEndpoint, principal: Principal) {
  const send = async <Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
  ): Promise<Answer<Data>> => {
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: document.toString(), variables }),
    }
    const response = await graphql.fetch('http://gancho/graphql', request, { principal, requestId, identify })
    return (await response.json()) as Answer<Data>
  }
  /** The data of an answer without errors. */
  const data = async <Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    ...variables: Variables extends Record<string, never> ? [] : [Variables]
  ): Promise<Data> => {
    const answer = await send(document, ...variables)
    if (answer.errors || !answer.data) throw new Error(`GraphQL: ${JSON.stringify(answer.errors)}`)
    return answer.data
  }
  /** The codes of an answer's errors. */
  const codes = async <Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    ...variables: Variables extends Record<string, never> ? [] : [Variables]
  ): Promise<string[]> =>
    ((await send(document, ...variables)).errors ?? []).map((error) => error.extensions.code)
  return { send, data, codes }
}

export const admin: Principal = { kind: 'admin', name: 'admin', access: 'full' }
