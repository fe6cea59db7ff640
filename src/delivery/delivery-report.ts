import type { AttemptOutcome } from '../events/job.ts'

/** What one delivery of a job came to. Times are milliseconds. */
export type Delivered = {
  queue: string
  /** What the job became. */
  status: string
  /** The attempt that was sent; undefined when none was. */
  attempt: { outcome: AttemptOutcome; tookMs: number } | undefined
  /** Since the event was accepted; undefined for a job that was reprocessed, whose waiting tells nothing. */
  sinceAcceptedMs: number | undefined
}

/** Told what deliveries came to. Must not throw. */
export type DeliveryReport = (delivered: Delivered) => void
