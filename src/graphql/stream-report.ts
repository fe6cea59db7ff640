import type { ErrorCode } from '../errors.ts'

/** What carries the results of subscriptions. */
export type StreamTransport = 'sse' | 'websocket'

/** Told of each stream that begins, and once of its end. Must not throw. */
export type StreamReport = {
  /** Of each result of a journal that was made, for however many subscribers. */
  resultMade(): void
  opened(transport: StreamTransport): void
  /** `code`: `DONE` when nothing more was to come, or its client went away. */
  ended(transport: StreamTransport, code: ErrorCode | 'DONE'): void
}
