import { type DocumentNode, GraphQLError, Kind, parse, visit } from 'graphql'
import { createLRUCache } from 'graphql-yoga'
import { GanchoError } from '../errors.ts'

/** The most that a document may have. */
export type DocumentLimits = typeof documentLimits
export const documentLimits = {
  /** Comments included. */
  characters: 65_536,
  /**
   * A parsed document takes about half a kilobyte for each, as long as it is known or somebody is subscribed with it, and the time that
   * it takes to be validated grows with their square.
   */
  tokens: 1_000,
  aliases: 50,
  directives: 50,
  /** `__schema` and `__type`, each of which may tell the whole schema. */
  introspections: 2,
  /** Fields within fields, through all fragments. */
  depth: 12,
  /** Values that the answer of a query or mutation may have, as `fieldCost` counts them. */
  cost: 50_000,
  /** The same for each message of a subscription. */
  messageCost: 5_000,
}
const maxKnown = 200

const messages: Partial<Record<keyof DocumentLimits, (max: number) => string>> = {
  depth: (max) => `Fields lie at most ${max} deep.`,
  cost: (max) => `An answer has at most ${max} values, by the sizes of the lists that are asked for.`,
  messageCost: (max) => `A message of a subscription has at most ${max} values.`,
}

/** @throws GanchoError DOCUMENT_TOO_COMPLEX for more than there may be */
export function keepWithin(limits: DocumentLimits, name: keyof DocumentLimits, found: number): void {
  const max = limits[name]
  if (found <= max) return
  const message = messages[name]?.(max) ?? `A document has at most ${max} ${name}.`
  throw new GanchoError('DOCUMENT_TOO_COMPLEX', message, { details: { limit: name, max } })
}

/**
 * The document of this text.
 * @throws GanchoError DOCUMENT_TOO_COMPLEX for too many characters or tokens, GraphQLError for a mistake in it
 */
export function parseDocument(text: string, limits = documentLimits): DocumentNode {
  keepWithin(limits, 'characters', text.length)
  try {
    return parse(text, { maxTokens: limits.tokens })
  } catch (error) {
    // graphql has no other sign for it than the message.
    if (error instanceof GraphQLError && error.message.includes(`${limits.tokens} tokens`))
      keepWithin(limits, 'tokens', Number.POSITIVE_INFINITY)
    throw error
  }
}

/**
 * The document of this text, which has no more in it than it may.
 * @throws as `parseDocument`, and GanchoError DOCUMENT_TOO_COMPLEX for too many aliases, directives or introspections
 */
export function parseWithin(limits: DocumentLimits, text: string): DocumentNode {
  const document = parseDocument(text, limits)
  const found = { aliases: 0, directives: 0, introspections: 0 }
  visit(document, {
    Field({ alias, name: { value } }) {
      if (alias) found.aliases++
      if (value === '__schema' || value === '__type') found.introspections++
    },
    Directive() {
      found.directives++
    },
  })
  for (const name of ['aliases', 'directives', 'introspections'] as const)
    keepWithin(limits, name, found[name])
  return document
}

/** What is remembered of documents: few, and none that is refused, since those are the long ones. */
export const documentCaches = () => ({
  documentCache: createLRUCache<DocumentNode>({ max: maxKnown }),
  errorCache: { get: () => undefined, set: () => undefined },
})

/** The definitions that one operation needs, or may. */
export const ofOperation = (
  document: DocumentNode,
  operation: DocumentNode['definitions'][number],
): DocumentNode => ({
  kind: Kind.DOCUMENT,
  definitions: [operation, ...document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)],
})
