import type { DestinationTerms } from '../events/transitions.ts'
import type { DestinationSettings } from './destination.ts'

/** What the transition script has to know of a destination, by the names of its fields. `places`: see Pump. */
export function destinationTerms(
  { maxConcurrency }: Pick<DestinationSettings, 'maxConcurrency'>,
  places: number,
): DestinationTerms {
  return { concurrency: maxConcurrency, slots: places }
}
