import type { Tenant } from './tenant.ts'

/** A token bucket: `burst` events at once, free again at `perSecond` events a second, which has three decimals at most. */
export type RateLimit = { perSecond: number; burst: number }

/** How fast a tenant may post events; undefined: as fast as it can. Without a burst of its own it is one second's worth. */
export function rateLimitOf({ settings: { limits = {} } }: Pick<Tenant, 'settings'>): RateLimit | undefined {
  if (limits.requestsPerSecond === undefined) return undefined
  const perSecond = Math.max(1, Math.round(limits.requestsPerSecond * 1_000)) / 1_000
  return { perSecond, burst: limits.burst ?? Math.ceil(perSecond) }
}

/** Longest body of a tenant's event: its own limit, but never more than `ofAll`, the one of the process. */
export function maxBodyBytesOf({ settings }: Pick<Tenant, 'settings'>, ofAll: number): number {
  return Math.min(ofAll, settings.limits?.maxBodyBytes ?? ofAll)
}

const defaultSubscriptions = 1_000

/** How many subscriptions a tenant may have at a time, on all instances together. */
export const maxSubscriptionsOf = ({ settings }: Pick<Tenant, 'settings'>): number =>
  settings.limits?.subscriptions ?? defaultSubscriptions
