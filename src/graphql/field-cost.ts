import { type GraphQLField, getNullableType, isListType } from 'graphql'
import { defaultSize, maxSize } from './connection.ts'

/** What a list without a size has, for all that is known before it is read. */
const usualLength = 10
/** A body takes as much of an answer as many other values. */
export const bodyCost = 50

type Field = Pick<GraphQLField<unknown, unknown>, 'name' | 'type' | 'args'>
type Sizes = { first?: number | null; last?: number | null; ids?: readonly unknown[] | null }

/** What a field adds to the cost of an operation: a value, and what lies within it as often as it may come. */
export function fieldCost(given: Record<string, unknown>, _context: unknown, field: Field) {
  return { field: 1, multiplier: lengthOf(field, given) }
}

function lengthOf({ name, type, args }: Field, { first, last, ids }: Sizes): number {
  const takes = (argument: string) => args.some(({ name }) => name === argument)
  // The field itself refuses what is beyond the largest page, and says so better.
  if (takes('first')) return Math.min(first ?? last ?? defaultSize, maxSize)
  // Its connection is counted by its size.
  if (name === 'edges' || !isListType(getNullableType(type))) return 1
  return takes('ids') ? (ids?.length ?? 0) : usualLength
}
