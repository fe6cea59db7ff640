import type { Logger } from 'pino'
import { isJson } from '../events/content-type.ts'
import { isOperational } from '../events/operational-events.ts'
import type { Route, RoutedEvent, Router } from '../events/routing.ts'
import type { DestinationSettings } from './destination.ts'
import type { DestinationDirectory } from './destination-directory.ts'
import { type EventFilter, type JudgeEvent, readFilter } from './event-filter.ts'

type Deps = {
  directory: Pick<DestinationDirectory, 'candidates'>
  judge: JudgeEvent
  log: Pick<Logger, 'warn'>
  now: () => number
}

/** How long a filter that took too long is not tried again, because each try holds up every other request. */
const suspendMs = 60_000
/** Jobs of one event. */
const maxFanOut = 20

/** The destinations of an event: those of its tenant that want it, or those of all tenants where it has none of its own. */
export function destinationRouter({ directory, judge, log, now }: Deps): Router {
  const filters = new WeakMap<DestinationSettings, EventFilter>()
  /** Until when, by the tenant whose event took too long: nobody else's events are to suffer for it. */
  const suspended = new WeakMap<EventFilter, Map<string, number>>()

  function filterOf(destination: DestinationSettings): EventFilter {
    const known = filters.get(destination)
    if (known) return known
    const filter = readFilter(destination.filter ?? '$')
    filters.set(destination, filter)
    return filter
  }

  function isSuspended(filter: EventFilter, cnpj: string): boolean {
    const until = suspended.get(filter)?.get(cnpj)
    if (until === undefined || now() < until) return until !== undefined
    suspended.get(filter)?.delete(cnpj)
    return false
  }

  function suspend(filter: EventFilter, cnpj: string) {
    const untils = suspended.get(filter) ?? new Map<string, number>()
    suspended.set(filter, untils.set(cnpj, now() + suspendMs))
  }

  function matching(candidates: readonly DestinationSettings[], { cnpj, body, json }: RoutedEvent) {
    const judged = candidates.filter((one) => one.filter !== null && !isSuspended(filterOf(one), cnpj))
    if (judged.length === 0) return candidates
    const { found, undecided } = judge(judged.map(filterOf), body, json)
    for (const { filter, reason, tookTooLong } of undecided) {
      log.warn({ cnpj, filter: filter.text, reason }, 'a filter could not be applied; its event is delivered')
      if (tookTooLong) suspend(filter, cnpj)
    }
    const refused = new Set(judged.filter((_, i) => found[i] === false))
    return candidates.filter((one) => !refused.has(one))
  }

  return (event) => {
    const { cnpj, eventType, contentType } = event
    const all = directory.candidates(cnpj)
    const wanting = all
      .filter((one) => one.active && takesType(one.eventTypes, eventType))
      .slice(0, maxFanOut)
    if (wanting.every((one) => one.filter === null)) return wanting.map(routeOf)
    if (isJson(contentType)) return matching(wanting, event).map(routeOf)
    return wanting.filter((one) => one.filter === null).map(routeOf)
  }
}

const routeOf = ({ id, queue, fifo }: DestinationSettings): Route => ({
  ...{ destination: id, queue },
  ...(fifo && { fifo }),
})

/**
 * Whether a destination with this list wants that type: exactly named, by a prefix such as `invoice.*`, or by an empty list, which takes
 * every event of senders.
 */
export function takesType(eventTypes: readonly string[], type: string | null): boolean {
  if (eventTypes.length === 0) return !isOperational(type)
  if (type === null) return false
  return eventTypes.some((one) => (one.endsWith('.*') ? type.startsWith(one.slice(0, -1)) : type === one))
}
