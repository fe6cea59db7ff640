import type { ErrorCode } from '../errors.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import type { Intake } from './intake.ts'

/** Told what becomes of the events that callers send. Must not throw. */
export type EventReport = {
  /** `repeated`: it got the answer of an event before it with the same idempotency key. */
  accepted(repeated: boolean): void
  refused(code: ErrorCode): void
}

export const noEventReport: EventReport = { accepted: () => {}, refused: () => {} }

/** An intake that reports by itself, for callers that refuse nothing on their own. */
export function reportedIntake(intake: Intake, report: EventReport): Intake {
  return {
    async accept(event) {
      try {
        const accepted = await intake.accept(event)
        report.accepted(accepted.repeated)
        return accepted
      } catch (error) {
        report.refused(toGanchoError(error).code)
        throw error
      }
    },
  }
}
