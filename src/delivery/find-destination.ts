import type { Destination } from './destination.ts'

export type FoundDestination =
  | { kind: 'known'; destination: Destination }
  /** It was deleted: the database says so. */
  | { kind: 'gone' }
  /** Not seen before, and the database does not answer. */
  | { kind: 'unknown' }

/** The destination with this id, as a worker needs it. Never rejects. */
export type FindDestination = (id: string) => Promise<FoundDestination>
