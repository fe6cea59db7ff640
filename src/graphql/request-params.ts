import type { Plugin } from 'graphql-yoga'
import type { GraphqlServerContext } from './context.ts'
import { paramsOf } from './given-params.ts'
import type { PersistedDocuments } from './persisted-documents.ts'

/** Has the endpoint read requests as the other transports do. */
export const requestParams = (documents: PersistedDocuments): Plugin<object, GraphqlServerContext> => ({
  onRequestParse({ serverContext, setRequestParser }) {
    setRequestParser(async (request) => {
      const { method, headers, url } = request
      const { searchParams: search } = new URL(url, 'http://gancho')
      const contentType = headers.get('content-type')
      const body = serverContext.body?.toString() ?? (await request.text())
      // Checked by the next hook.
      return paramsOf({ method, contentType, search, body }) as object
    })
  },
  onParams({ params, setParams, context }) {
    setParams({ ...params, query: documents.resolve(params, context.principal).query })
  },
})
