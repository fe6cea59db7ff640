import { GanchoError } from '../errors.ts'

/** A place in the journal of one Redis data set: everything up to the entry `id` (a stream id, `<ms>-<seq>`) is passed. */
export type JournalPosition = { epoch: string; id: string }

/** Far longer than any cursor. */
const maxLength = 300
const position = /^(?<epoch>[!-~]{1,128}) (?<id>(?:0|[1-9]\d{0,15})-(?:0|[1-9]\d{0,15}))$/

/** The same text on every process. */
export const encodeCursor = ({ epoch, id }: JournalPosition): string =>
  Buffer.from(`${epoch} ${id}`).toString('base64url')

/** @throws GanchoError INVALID_CURSOR for a text that `encodeCursor` does not make */
export function decodeCursor(text: string): JournalPosition {
  const decoded = text.length > maxLength ? '' : Buffer.from(text, 'base64url').toString('latin1')
  const { epoch, id } = position.exec(decoded)?.groups ?? {}
  if (epoch === undefined || id === undefined) throw new GanchoError('INVALID_CURSOR')
  // Bits that stand for nothing, or what the decoder skips, would give one position two texts.
  if (encodeCursor({ epoch, id }) !== text) throw new GanchoError('INVALID_CURSOR')
  return { epoch, id }
}
