import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { GanchoError } from '../errors.ts'
import { repeat } from '../redis/repeat.ts'
import type { Admitted, Identities } from '../tenants/identity.ts'
import { maxSubscriptionsOf } from '../tenants/limits.ts'
import type { Principal } from '../tenants/principal.ts'
import type { Place, StreamPlaces } from '../tenants/stream-places.ts'
import type { StreamTickets, UsedTicket } from '../tenants/stream-tickets.ts'
import { WatchedClaims, type Watcher } from './watched-claims.ts'

export type OpenStreams = {
  /**
   * Takes a place for one subscription.
   * @returns what gives it back
   * @throws GanchoError TOO_MANY_SUBSCRIPTIONS, TOO_MANY_STREAMS, SHUTTING_DOWN, REDIS_UNAVAILABLE
   */
  take(principal: Principal): Promise<() => void>
  /**
   * Watches over a connection, an event stream or a socket, that stays open: `end` is called once it may not, or when this instance
   * stops (SHUTTING_DOWN).
   * @returns what stops watching
   * @throws GanchoError what the claim is refused with by now, TOO_MANY_STREAMS, SHUTTING_DOWN
   */
  watch(admitted: Admitted, watcher: Watcher, ticket?: UsedTicket): Promise<() => void>
  /** To be called when a tenant has changed, or with `*` when any may have. */
  tenantChanged(cnpj: string): void
  /** Ends all connections, one after the other so that their clients do not all come back at once; resolves when they are closed. */
  drain(withinMs: number): Promise<void>
}

type Deps = {
  identities: Pick<Identities, 'ask' | 'endsAt'>
  places: StreamPlaces
  tickets: Pick<StreamTickets, 'renew'>
  log: Logger
  /** Subscriptions, and connections, of this process. */
  max: number
  /** How often leases and tickets are renewed: several times within their lives. */
  renewMs: number
  recheckMs?: number
  retryMs?: number
  now?: () => number
}

type Connection = { watcher: Watcher; ticket: UsedTicket | undefined }

const tickMs = 250
/** Of a stop: at most so long, and faster where there is little to end. */
const longestDrainMs = 5_000
const drainEachMs = 10
const drainStepMs = 50

/** The streams of this process: how many there are, for how long they may be, and how they end. */
export function openStreams(deps: Deps): OpenStreams {
  const { places, tickets, log, max, renewMs, recheckMs = 60_000, retryMs = 5_000, now = Date.now } = deps
  const claims = new WatchedClaims({ identities: deps.identities, now, recheckMs, retryMs })
  const held = new Set<Place>()
  const connections = new Set<Connection>()
  const returned: Place[] = []
  let subscriptions = 0
  let stopping = false

  const ticking = setInterval(() => claims.tick(), tickMs)
  ticking.unref()
  const renewing = repeat({
    name: 'stream leases',
    log,
    everyMs: renewMs,
    turn: async () => {
      await places.renew([...held])
      await tickets.renew(ticketsOf(connections))
    },
  })
  renewing.start()

  function refuseWhen(full: boolean): void {
    if (stopping) throw new GanchoError('SHUTTING_DOWN', undefined, { retryAfterSeconds: 1 })
    if (full) throw new GanchoError('TOO_MANY_STREAMS', undefined, { retryAfterSeconds: 5 })
  }

  function giveBack(place: Place): void {
    held.delete(place)
    if (returned.push(place) > 1) return
    // All of a turn together: sockets end with many subscriptions at once.
    setImmediate(() => {
      places.giveBack(returned.splice(0)).catch(() => {
        // Their leases end by themselves; Redis being away is told elsewhere.
      })
    })
  }

  return {
    async take(principal) {
      refuseWhen(subscriptions >= max)
      subscriptions++
      try {
        const place = principal.kind === 'tenant' ? await placeOf(principal) : undefined
        return once(() => {
          subscriptions--
          if (place) giveBack(place)
        })
      } catch (error) {
        subscriptions--
        throw error
      }
    },
    async watch(admitted, watcher, ticket) {
      refuseWhen(connections.size >= max)
      const connection = { watcher, ticket }
      connections.add(connection)
      const forget = claims.add(admitted, watcher)
      const stop = once(() => {
        forget()
        connections.delete(connection)
      })
      try {
        // What changed between its being admitted and its being watched was heard by nobody.
        await deps.identities.ask(admitted.claim)
        if (ticket) await tickets.renew([ticket])
        refuseWhen(false)
        return stop
      } catch (error) {
        stop()
        throw error
      }
    },
    tenantChanged: (cnpj) => claims.tenantChanged(cnpj),
    async drain(withinMs) {
      stopping = true
      const end = now() + withinMs
      await endAll(connections, Math.min(longestDrainMs, withinMs / 2))
      while (connections.size > 0 && now() < end) await sleep(drainStepMs)
      clearInterval(ticking)
      await renewing.stop()
      await places.giveBack([...held, ...returned.splice(0)]).catch(() => undefined)
    },
  }

  async function placeOf({ tenant }: Extract<Principal, { kind: 'tenant' }>): Promise<Place> {
    const place = await places.take(tenant.cnpj, maxSubscriptionsOf(tenant))
    held.add(place)
    return place
  }
}

async function endAll(connections: ReadonlySet<Connection>, longestMs: number): Promise<void> {
  const all = [...connections]
  const steps = Math.ceil(Math.min(longestMs, all.length * drainEachMs) / drainStepMs)
  const each = Math.ceil(all.length / Math.max(1, steps))
  for (let from = 0; from < all.length; from += each) {
    if (from > 0) await sleep(drainStepMs)
    for (const { watcher } of all.slice(from, from + each)) watcher.end(new GanchoError('SHUTTING_DOWN'))
  }
}

const ticketsOf = (connections: ReadonlySet<Connection>): UsedTicket[] => [
  ...new Map([...connections].flatMap(({ ticket }) => (ticket ? [[ticket.hash, ticket]] : []))).values(),
]

function once(call: () => void): () => void {
  let called = false
  return () => {
    if (called) return
    called = true
    call()
  }
}
