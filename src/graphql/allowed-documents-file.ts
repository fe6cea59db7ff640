import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseDocument } from './document.ts'
import { type AllowedDocuments, documentHash } from './persisted-documents.ts'

/** What GraphQL Code Generator writes, and Relay: documents by their hash. */
const byHash = z.record(z.string(), z.string())
/** What Apollo's generate-persisted-query-manifest writes. */
const manifest = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(z.object({ id: z.string(), body: z.string() })),
  })
  .transform(({ operations }) => Object.fromEntries(operations.map(({ id, body }) => [id, body])))
const form = z.union([manifest, byHash], 'expected documents by their SHA-256, or a manifest of Apollo')

export type ReadDocuments = {
  documents: AllowedDocuments
  problems: readonly { at: string; message: string }[]
}

/** Reads a file of documents, each named by the SHA-256 of its text. Never throws: what is wrong is told with its place. */
export function readAllowedDocuments(path: string): ReadDocuments {
  const read = documentsIn(path)
  if (typeof read === 'string') return { documents: new Map(), problems: [{ at: '', message: read }] }
  const problems = Object.entries(read).flatMap(([hash, text]) => {
    const message = problemOf(hash, text)
    return message ? [{ at: hash.slice(0, 64), message }] : []
  })
  return { documents: new Map(Object.entries(read)), problems }
}

function documentsIn(path: string): Record<string, string> | string {
  try {
    const parsed = form.safeParse(JSON.parse(readFileSync(path, 'utf8')))
    return parsed.success ? parsed.data : parsed.error.issues.map(({ message }) => message).join('; ')
  } catch (error) {
    return error instanceof SyntaxError ? 'is not valid JSON' : `cannot be read: ${(error as Error).message}`
  }
}

function problemOf(hash: string, text: string): string | undefined {
  if (documentHash(text) !== hash) return 'is not the SHA-256 of its document'
  try {
    parseDocument(text)
    return undefined
  } catch (error) {
    return `is no document: ${(error as Error).message}`
  }
}
