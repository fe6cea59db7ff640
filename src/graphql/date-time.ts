import { GraphQLScalarType } from 'graphql'
import { GraphQLDateTime } from 'graphql-scalars'

const config = GraphQLDateTime.toConfig()

/** The one of graphql-scalars, which leaves it to `JSON.stringify` to write its dates: that takes three times as long for a whole answer. */
export const DateTime = new GraphQLScalarType({
  ...config,
  serialize: (value) => (config.serialize(value) as Date).toISOString(),
})
