/** Where one event goes: the destination's id and the queue that it names. */
export type Route = { destination: string; queue: string }

/** Id of the destination that the environment names. */
export const defaultDestinationId = 'default'
export const defaultQueue = 'nifi'

/** Finds the destinations of an event, in memory. */
export type Router = (event: { cnpj: string; eventType: string | null }) => readonly Route[]

/** Every event goes to the environment's destination. */
export function defaultRouter(): Router {
  const routes = [{ destination: defaultDestinationId, queue: defaultQueue }]
  return () => routes
}
