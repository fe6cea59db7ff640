/**
 * Writes a stream id (`<ms>-<seq>`, both up to 64 bits) so that text order is stream order. SQL compares it that way in every
 * database, which row values or 64-bit integers in JavaScript do not give.
 */
export function sortableJournalId(id: string): string {
  const [ms = '', seq = '0'] = id.split('-')
  return `${ms.padStart(16, '0')}-${seq.padStart(20, '0')}`
}

/** The stream id that `sortableJournalId` was given. */
export function plainJournalId(sortable: string): string {
  const [ms = '', seq = ''] = sortable.split('-')
  return `${BigInt(ms)}-${BigInt(seq)}`
}
