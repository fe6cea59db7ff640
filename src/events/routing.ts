import type { IncomingEvent } from './event.ts'

/** Where one event goes: the destination's id, the queue that it names, and whether it keeps the order of ordering keys. */
export type Route = { destination: string; queue: string; fifo?: boolean }

/** Id of the destination that the environment names. */
export const defaultDestinationId = 'default'
export const defaultQueue = 'nifi'
/** A BullMQ queue that no destination may name. */
export const maintenanceQueue = 'maintenance'

/** What of an event may decide where it goes. */
export type RoutedEvent = Pick<IncomingEvent, 'cnpj' | 'eventType' | 'contentType' | 'body' | 'json'>

/** Finds the destinations of an event, in memory; none where nobody wants it. */
export type Router = (event: RoutedEvent) => readonly Route[]

/** Every event goes to the environment's destination. */
export function defaultRouter(): Router {
  const routes = [{ destination: defaultDestinationId, queue: defaultQueue }]
  return () => routes
}
