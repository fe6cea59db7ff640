import type { OutcomeClass } from '../events/transitions.ts'
import type { Outcome } from './attempt.ts'

/** Too slow, and too many: what is wrong is not the event. */
const faultStatuses: ReadonlySet<number> = new Set([408, 429])

/**
 * What an attempt tells of its destination. Any other answer says that it works, also one that refuses the event; nothing is told by
 * what was not sent.
 */
export function outcomeClass(outcome: Outcome): OutcomeClass {
  if (outcome.kind === 'refused') return 'none'
  if (outcome.kind === 'unanswered') return 'fault'
  return outcome.status >= 500 || faultStatuses.has(outcome.status) ? 'fault' : 'ok'
}
