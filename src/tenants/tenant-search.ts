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

/** The beginning of a CNPJ as people write it, far enough to be nothing else: 12.ABC.345/01DE-35. */
const punctuatedCnpj = /^[0-9a-z]{2}\.[0-9a-z]{3}\.[0-9a-z]{1,3}(\/[0-9a-z]{0,4}(-\d{0,2})?)?$/i

/** What is searched for, as long as a name may be; a CNPJ without its punctuation. @throws GanchoError BAD_REQUEST */
export function checkedSearch(text: string): string {
  const trimmed = text.trim()
  if (punctuatedCnpj.test(trimmed)) return trimmed.replace(/[./-]/g, '')
  if (trimmed.length > maxSearchLength)
    throw new GanchoError('BAD_REQUEST', `A search has ${maxSearchLength} characters at most.`)
  return trimmed
}
