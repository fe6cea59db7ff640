import type { DestinationTerms } from '../events/transitions.ts'
import type { ShutHoursOf } from './delivery-window.ts'
import type { DestinationSettings } from './destination.ts'

/** When a destination's breaker opens; never with `attempts` 0. */
export type BreakerPolicy = {
  /** Part of the attempts within a minute that are faults, from 0 to 1. */
  failureRate: number
  /** Fewer within a minute tell nothing; as many faults in a row do, however long they took. */
  attempts: number
  /** Until it is tried again, for the first time. */
  coolDownMs: number
}

type Settings = Pick<
  DestinationSettings,
  'active' | 'deliveryWindow' | 'jobDeadlineSeconds' | 'maxConcurrency' | 'ratePerSecond'
>

type Around = {
  breaker: BreakerPolicy
  shutHoursOf: ShutHoursOf
  /** See Pump. */
  places: () => number
  /** Epoch milliseconds. */
  now: () => number
}

/** What the transition script has to know of a destination, by the names of its fields (see gate.lua and flow.lua). */
export function destinationTerms(
  { active, deliveryWindow, jobDeadlineSeconds, maxConcurrency, ratePerSecond }: Settings,
  { breaker, shutHoursOf, places, now }: Around,
): DestinationTerms {
  const { from, until } = shutHoursOf(deliveryWindow, now())
  return {
    ...{ concurrency: maxConcurrency, slots: places() },
    ...{ active: active ? 1 : 0, rate: ratePerSecond ?? 0, shutFrom: from, shutUntil: until },
    deadline: (jobDeadlineSeconds ?? 0) * 1_000,
    ...{ breakAt: breaker.failureRate, breakAfter: breaker.attempts, coolDown: breaker.coolDownMs },
  }
}

/** The same, as one and the same object for as long as nothing of it changes: of each job that goes to a destination it is asked for. */
export function termsOfSettings(around: Around): (settings: Settings) => DestinationTerms {
  const last = new WeakMap<Settings, DestinationTerms>()
  const { shutHoursOf, places, now } = around
  return (settings) => {
    const known = last.get(settings)
    const { from, until } = shutHoursOf(settings.deliveryWindow, now())
    const isSame = known?.slots === places() && known.shutFrom === from && known.shutUntil === until
    if (known && isSame) return known
    const terms = destinationTerms(settings, around)
    last.set(settings, terms)
    return terms
  }
}

/** Of a destination that is no more: its jobs go, and each fails as that. */
export const termsOfGone: DestinationTerms = { active: 1, rate: 0, shutUntil: 0, breakAfter: 0 }
