import { getOperationAST } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { Tracing } from '../tracing/tracing.ts'
import type { GraphqlContext } from './context.ts'

/** Makes each query and mutation a span of its caller's trace. */
export function tracedOperations(tracing: Tracing): Plugin<GraphqlContext> {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const operation = getOperationAST(args.document, args.operationName)
      const name = operation?.name?.value ?? null
      const type = operation?.operation ?? 'query'
      // Over a WebSocket there is no request.
      const headers = args.contextValue.request?.headers
      const facts = {
        name: name === null ? `GraphQL ${type}` : `GraphQL ${type} ${name}`,
        kind: 'internal' as const,
        parent: {
          traceparent: headers?.get('traceparent') ?? undefined,
          tracestate: headers?.get('tracestate') ?? undefined,
        },
        attributes: { 'graphql.operation.type': type, 'graphql.operation.name': name },
      }
      setExecuteFn((executed) =>
        tracing.run(facts, async (span) => {
          const result = await executeFn(executed)
          if (result.errors?.[0]) span.fail(result.errors[0].message)
          return result
        }),
      )
    },
  }
}
