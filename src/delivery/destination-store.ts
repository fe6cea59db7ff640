import type { StoredDestination } from './destination.ts'

/** `cnpj` null: the defaults. */
export type DestinationsFilter = { cnpj?: string | null }

/**
 * A page of the list ordered by id, which is the order of creation; `after` and `before` are ids outside the page. `fromEnd` takes
 * the last `limit` of that range, still in order.
 */
export type DestinationsPage = {
  limit: number
  after?: string
  before?: string
  fromEnd?: boolean
  filter?: DestinationsFilter
}

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. A tenant that is removed takes its destinations with it. */
export interface DestinationStore {
  /** @throws GanchoError TENANT_NOT_FOUND; TOO_MANY_DESTINATIONS when its owner has `most` already */
  create(destination: StoredDestination, most: number): Promise<void>
  byId(id: string): Promise<StoredDestination | null>
  list(page: DestinationsPage): Promise<StoredDestination[]>
  /**
   * Writes the whole destination, provided that the stored one is of the version before it. Neither owner nor creation change.
   * @throws GanchoError DESTINATION_NOT_FOUND, DESTINATION_CHANGED when the stored one is of another version
   */
  update(destination: StoredDestination): Promise<void>
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>
  /** Replaces the encrypted text alone, which is no change of the destination. @returns whether it is still of that version. */
  reseal(id: string, version: number, secrets: string): Promise<boolean>
}
