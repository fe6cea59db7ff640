import { type DocumentNode, parse } from 'graphql'
import { createLRUCache, type Plugin } from 'graphql-yoga'
import { GanchoError } from '../errors.ts'

/** Characters, comments included. */
const maxLength = 65_536
/** A parsed document takes about half a kilobyte for each, as long as it is known or somebody is subscribed with it. */
const maxTokens = 2_000
const maxKnown = 200

/**
 * The document of this text.
 * @throws GanchoError BAD_REQUEST for a text that is too long, GraphQLError for one with too many tokens or a mistake in it
 */
export function parseDocument(text: string): DocumentNode {
  if (text.length > maxLength)
    throw new GanchoError('BAD_REQUEST', `A document has at most ${maxLength} characters.`)
  return parse(text, { maxTokens })
}

/** Parses by `parseDocument`. To go with `documentCaches`. */
export const documentLimits: Plugin = {
  onParse({ setParseFn }) {
    setParseFn((source: string | { body: string }) =>
      parseDocument(typeof source === 'string' ? source : source.body),
    )
  },
}

/** What is remembered of documents: few, and none that is refused, since those are the long ones. */
export const documentCaches = () => ({
  documentCache: createLRUCache<DocumentNode>({ max: maxKnown }),
  errorCache: { get: () => undefined, set: () => undefined },
})
