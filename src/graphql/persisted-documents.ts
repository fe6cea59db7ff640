import { createHash } from 'node:crypto'
import { createLRUCache } from 'graphql-yoga'
import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import type { Principal } from '../tenants/principal.ts'
import { checkedParams, type GivenParams } from './given-params.ts'
import type { OperationParams } from './operation-stream.ts'

export type PersistedDocuments = {
  /**
   * What a client asks for, with the document itself.
   * @throws GanchoError PERSISTED_QUERY_NOT_FOUND, DOCUMENT_NOT_ALLOWED, BAD_REQUEST
   */
  resolve(given: unknown, principal: Principal): OperationParams
}

/** Documents by the SHA-256 of their text, in hexadecimal. */
export type AllowedDocuments = ReadonlyMap<string, string>

/** Of each process: clients send again what it does not know. */
const maxKnown = 1_000
/** Longer ones are executed, and sent again each time. */
const longestKnown = 16_384

const persistedQuery = z.object({
  version: z.literal(1, 'expected version 1'),
  sha256Hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 in hexadecimal'),
})

export const documentHash = (text: string) => createHash('sha256').update(text).digest('hex')

/** @throws GanchoError */
type Library = {
  find(hash: string): string
  /** Told of each text that comes with its hash. */
  see(hash: string, text: string): void
}

/**
 * Documents that clients name by their hash (Apollo's automatic persisted queries), learned from whoever sends both. With `allowed`,
 * tenants may send those, by text or by hash, and no others.
 */
export function persistedDocuments(allowed?: AllowedDocuments): PersistedDocuments {
  const learned = learnedDocuments(allowed)
  const listed = allowed && listedDocuments(allowed)
  return {
    resolve(given, principal) {
      const params = checkedParams(given)
      const hash = hashOf(params.extensions)
      const library = principal.kind === 'tenant' && listed ? listed : learned
      const query = params.query || (hash && library.find(hash))
      if (!query) throw new GanchoError('BAD_REQUEST', 'query: expected a document.')
      if (params.query && (hash || library === listed)) library.see(checkedHash(query, hash), query)
      return { ...params, query }
    },
  }
}

function learnedDocuments(allowed: AllowedDocuments = new Map()): Library {
  const known = createLRUCache<string>({ max: maxKnown })
  return {
    find(hash) {
      const text = known.get(hash) ?? allowed.get(hash)
      if (text === undefined) throw new GanchoError('PERSISTED_QUERY_NOT_FOUND')
      return text
    },
    see(hash, text) {
      if (text.length <= longestKnown) known.set(hash, text)
    },
  }
}

function listedDocuments(allowed: AllowedDocuments): Library {
  const find = (hash: string) => {
    const text = allowed.get(hash)
    if (text === undefined) throw new GanchoError('DOCUMENT_NOT_ALLOWED')
    return text
  }
  return { find, see: find }
}

function checkedHash(text: string, given: string | undefined): string {
  const hash = documentHash(text)
  if (given === undefined || given === hash) return hash
  throw new GanchoError('BAD_REQUEST', 'extensions.persistedQuery: this is not the hash of the document.')
}

function hashOf(extensions: GivenParams['extensions']): string | undefined {
  const given = extensions?.persistedQuery
  if (given === undefined || given === null) return undefined
  const parsed = persistedQuery.safeParse(given)
  if (parsed.success) return parsed.data.sha256Hash
  const problems = parsed.error.issues.map(({ path, message }) => [...path, message].join(': '))
  throw new GanchoError('BAD_REQUEST', `extensions.persistedQuery: ${problems.join('; ')}.`)
}
