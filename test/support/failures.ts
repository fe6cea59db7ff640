import type { Failure } from '../../src/events/job.ts'

export const failed: Failure = {
  reason: 'EXHAUSTED',
  error: 'HTTP 500',
  statusCode: 500,
  responseExcerpt: 'no space left',
  attempts: 1,
  firstAttemptAt: 1_780_000_000_000,
  lastAttemptAt: 1_780_000_000_000,
  failedAt: 1_780_000_000_500,
}
