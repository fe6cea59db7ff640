/** Whether the journal entry `a` was written no later than `b`. Ids have the form `<ms>-<seq>` (Redis streams). */
export function isAtOrBefore(a: string, b: string): boolean {
  // Asked for each subscriber and message, most often of one id and itself: no arrays are made.
  if (a === b) return true
  const aEnd = a.indexOf('-')
  const bEnd = b.indexOf('-')
  const aMs = Number(a.slice(0, aEnd))
  const bMs = Number(b.slice(0, bEnd))
  return aMs < bMs || (aMs === bMs && Number(a.slice(aEnd + 1)) <= Number(b.slice(bEnd + 1)))
}
