import SchemaBuilder from '@pothos/core'
import ComplexityPlugin from '@pothos/plugin-complexity'
import RelayPlugin from '@pothos/plugin-relay'
import ScopeAuthPlugin from '@pothos/plugin-scope-auth'
import ValidationPlugin from '@pothos/plugin-validation'
import { GraphQLJSON } from 'graphql-scalars'
import { GanchoError } from '../errors.ts'
import { decodeCursor, encodeCursor, type JournalPosition } from '../journal/cursor.ts'
import { parseCnpj } from '../tenants/cnpj.ts'
import { mayWrite } from '../tenants/principal.ts'
import type { GraphqlContext } from './context.ts'
import { DateTime } from './date-time.ts'
import { fieldCost } from './field-cost.ts'
import { decodeGlobalId, encodeGlobalId } from './global-id.ts'

type Types = {
  Context: GraphqlContext
  AuthScopes: { admin: boolean; write: boolean }
  DefaultFieldNullability: false
  DefaultEdgesNullability: false
  Scalars: {
    ID: { Input: string; Output: string }
    DateTime: { Input: Date; Output: Date | number }
    JSON: { Input: unknown; Output: unknown }
    CNPJ: { Input: string; Output: string }
    Cursor: { Input: JournalPosition; Output: JournalPosition }
  }
}

export const builder = new SchemaBuilder<Types>({
  defaultFieldNullability: false,
  plugins: [ScopeAuthPlugin, RelayPlugin, ValidationPlugin, ComplexityPlugin],
  // No limit here: document-guards.ts asks for the cost before anything is done.
  complexity: { fieldComplexity: fieldCost },
  scopeAuth: {
    // Else who may not see a stream would open it, and be refused each of its events.
    authorizeOnSubscribe: true,
    authScopes: ({ principal }) => ({ admin: principal.kind === 'admin', write: mayWrite(principal) }),
    unauthorizedError: () => new GanchoError('FORBIDDEN'),
  },
  relay: {
    encodeGlobalID: (typename, id) => encodeGlobalId(typename, String(id)),
    decodeGlobalID: decodeGlobalId,
    edgesFieldOptions: { nullable: false },
  },
  validation: {
    validationError: ({ issues }) => {
      const message = issues.map((issue) => issue.message).join('; ')
      return new GanchoError('BAD_REQUEST', `${message}.`)
    },
  },
})

builder.queryType({})
builder.mutationType({ authScopes: { write: true } })
builder.subscriptionType({})

builder.addScalarType('DateTime', DateTime)
builder.addScalarType('JSON', GraphQLJSON)
builder.scalarType('CNPJ', {
  description:
    "Brazil's company number, numeric or alphanumeric. Taken with or without punctuation, answered as 14 characters in upper case.",
  serialize: (cnpj) => cnpj,
  parseValue: (value) => {
    if (typeof value !== 'string') throw new GanchoError('INVALID_CNPJ')
    return parseCnpj(value)
  },
})
builder.scalarType('Cursor', {
  description: 'A place in the journal of job changes, the same on every instance. To be kept as it is.',
  serialize: (position) => encodeCursor(position as JournalPosition),
  parseValue: (value) => {
    if (typeof value !== 'string') throw new GanchoError('INVALID_CURSOR')
    return decodeCursor(value)
  },
})
