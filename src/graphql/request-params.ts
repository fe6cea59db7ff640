import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { GraphqlServerContext } from './context.ts'
import { paramsOf } from './given-params.ts'
import type { PersistedDocuments } from './persisted-documents.ts'

/** Has the endpoint read requests as the other transports do. Bodies have at most `maxBytes`. */
export const requestParams = (
  documents: PersistedDocuments,
  maxBytes: number,
): Plugin<object, GraphqlServerContext> => ({
  onRequestParse({ setRequestParser }) {
    setRequestParser(async (request) => {
      const { method, headers, url } = request
      const { searchParams: search } = new URL(url, 'http://gancho')
      const contentType = headers.get('content-type')
      const body = await bodyWithin(maxBytes, request)
      // Checked by the next hook.
      return paramsOf({ method, contentType, search, body }) as object
    })
  },
  onParams({ params, setParams, context }) {
    setParams({ ...params, query: documents.resolve(params, context.principal).query })
  },
})

/** Yoga's own limit sends each body through a stream, which takes as long as all else that is done to read a request. */
async function bodyWithin(maxBytes: number, request: Request): Promise<string> {
  const announced = request.headers.get('content-length')
  if (Number(announced) > maxBytes) throw tooLarge()
  // Of a body whose length was announced, no more than that is taken from the connection.
  if (announced !== null || !request.body) return request.text()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks).toString()
    length += value.byteLength
    // The rest is not cancelled, which would end the connection before the answer.
    if (length > maxBytes) throw tooLarge()
    chunks.push(value)
  }
}

const tooLarge = () => new GraphQLError('Request body too large', { extensions: { http: { status: 413 } } })
