import { GanchoError } from '../errors.ts'

const maxSearchLength = 200

/** Small letters without accents, so that a database's own idea of letters has no say in what a search finds. */
export const searchable = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()

/** What a search for a tenant looks through. */
export const searchTextOf = ({ name, cnpj }: { name: string; cnpj: string }) =>
  `${searchable(name)} ${cnpj.toLowerCase()}`

/** What is searched for, as long as a name may be. @throws GanchoError BAD_REQUEST */
export function checkedSearch(text: string): string {
  const trimmed = text.trim()
  if (trimmed.length > maxSearchLength)
    throw new GanchoError('BAD_REQUEST', `A search has ${maxSearchLength} characters at most.`)
  return trimmed
}
