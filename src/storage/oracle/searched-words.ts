import { isUtf8 } from 'node:buffer'
import type { Job } from '../../events/job.ts'
import { searchable } from '../../tenants/tenant-search.ts'

/** How much of a text is searched: what Oracle keeps in the row of its job. */
const searchedCharacters = 4_000

/** What a search looks through in a body; null for one that is no text. */
export function searchedWords(body: Buffer): string | null {
  return isUtf8(body) ? searched(body.toString('utf8', 0, 4 * searchedCharacters)) : null
}

/** What a search looks through of what went wrong; null when nothing did. */
export function errorWords({ failure, reported }: Pick<Job, 'failure' | 'reported'>): string | null {
  const texts = [failure?.reason, failure?.error, failure?.responseExcerpt, reported].filter(
    (text) => text != null,
  )
  return texts.length === 0 ? null : searched(texts.join(' '))
}

const searched = (text: string) => searchable(text).slice(0, searchedCharacters)
