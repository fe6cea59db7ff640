import { defaultDestinationId } from '../../src/events/routing.ts'
import type { Transitions } from '../../src/events/transitions.ts'

/** Has no job of this destination wait for its turn, for tests that are about something else. */
export const letAllOut = (transitions: Transitions, destination = defaultDestinationId) =>
  transitions.release(new Map([[destination, { concurrency: 1_000_000, slots: 1_000_000 }]]))
