import { cnpj } from 'cpf-cnpj-validator'
import { GanchoError } from '../errors.ts'

/**
 * Normalises a CNPJ written with or without punctuation, numeric or alphanumeric (Nota Técnica RFB 49/2024), and checks its
 * verification digits.
 * @returns 14 characters, upper case. @throws GanchoError INVALID_CNPJ
 */
export function parseCnpj(input: string): string {
  const bare = input.trim().replace(/[.\-/\s]/g, '')
  // Before the case changes: some letters outside ASCII become ASCII ones in upper case.
  const wellFormed = /^[0-9A-Za-z]{14}$/.test(bare)
  const normal = bare.toUpperCase()
  if (!wellFormed || !cnpj.isValid(normal, true)) throw new GanchoError('INVALID_CNPJ')
  return normal
}
