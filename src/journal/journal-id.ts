/** Whether the journal entry `a` was written no later than `b`. Ids have the form `<ms>-<seq>` (Redis streams). */
export function isAtOrBefore(a: string, b: string): boolean {
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number)
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number)
  return aMs < bMs || (aMs === bMs && aSeq <= bSeq)
}
