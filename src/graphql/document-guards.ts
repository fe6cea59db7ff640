import { complexityFromQuery } from '@pothos/plugin-complexity'
import {
  type ExecutionArgs,
  GraphQLError,
  getNamedType,
  getOperationAST,
  isIntrospectionType,
  type OperationDefinitionNode,
  type ValidationRule,
  validate,
} from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { GanchoError } from '../errors.ts'
import { type DocumentLimits, documentLimits, keepWithin, ofOperation, parseWithin } from './document.ts'

export type GuardOptions = {
  limits?: DocumentLimits | undefined
  /** Whether callers may ask for the schema. */
  introspection: boolean
}

/** Who sent something very wrong needs no more to see it. */
const maxErrors = 10

/**
 * Refuses documents that ask for too much, before any of it is done, over every transport: they all parse, validate and execute by the
 * hooks of the endpoint. To go with `documentCaches`.
 */
export function documentGuards({ introspection, limits = documentLimits }: GuardOptions): Plugin {
  const costOf = costReader()
  return {
    onParse({ setParseFn }) {
      setParseFn((source: string | { body: string }) =>
        parseWithin(limits, typeof source === 'string' ? source : source.body),
      )
    },
    onValidate({ addValidationRule, setValidationFn }) {
      if (!introspection) addValidationRule(noIntrospection)
      // What a suggestion tells, whoever may not see the schema is not to know either.
      setValidationFn(((schema, document, rules) =>
        validate(schema, document, rules, { maxErrors, hideSuggestions: !introspection })) as typeof validate)
    },
    onExecute: ({ args }) => checkOperation(args, limits, costOf),
    onSubscribe: ({ args }) => checkOperation(args, limits, costOf),
  }
}

/** `__typename` is no introspection: clients put it everywhere. */
const noIntrospection: ValidationRule = (context) => ({
  Field(node) {
    const type = getNamedType(context.getType())
    if (!type || !isIntrospectionType(type)) return
    const originalError = new GanchoError('INTROSPECTION_OFF')
    context.reportError(new GraphQLError(originalError.message, { nodes: node, originalError }))
  },
})

function checkOperation(args: ExecutionArgs, limits: DocumentLimits, costOf: CostOf): void {
  const operation = getOperationAST(args.document, args.operationName)
  // Which one is meant, execution asks.
  if (!operation) return
  const { depth, complexity: cost } = costOf(operation, args)
  keepWithin(limits, 'depth', depth)
  keepWithin(limits, operation.operation === 'subscription' ? 'messageCost' : 'cost', cost)
}

type CostOf = (operation: OperationDefinitionNode, args: ExecutionArgs) => Cost
type Cost = { depth: number; complexity: number }

/** With the values of its variables, sizes among them; without any, it costs the same each time. */
function costReader(): CostOf {
  const known = new WeakMap<OperationDefinitionNode, Cost>()
  return (operation, { schema, document, variableValues }) => {
    const cost =
      known.get(operation) ??
      complexityFromQuery(ofOperation(document, operation), { schema, variables: variableValues ?? {} })
    if (!operation.variableDefinitions?.length) known.set(operation, cost)
    return cost
  }
}
