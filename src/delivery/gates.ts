import type { Redis } from 'ioredis'
import type { Transitions } from '../events/transitions.ts'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

const breakerStates = {
  closed: 'CLOSED',
  open: 'OPEN',
  'half-open': 'HALF_OPEN',
  closing: 'CLOSING',
} as const
export type BreakerState = (typeof breakerStates)[keyof typeof breakerStates]

/** Times are epoch milliseconds. */
export type BreakerView = {
  state: BreakerState
  /** Of the last minute, or at which it opened; null where nothing was attempted. */
  failureRate: number | null
  openedAt: number | null
  /** When it is tried again, or since when it is. */
  probesAt: number | null
}

export type ShutReason = 'OUT_OF_SERVICE' | 'DELIVERY_WINDOW' | 'BREAKER'

/** Whether a destination is delivered to now, and if not, why. */
export type GateState = {
  breaker: BreakerView
  shut: { why: ShutReason; until: number } | null
  /** When its rate lets the next attempt begin; null without a rate, and when that is now. */
  nextTurnAt: number | null
}

export type Gates = {
  /** In the order of the ids. */
  states(destinations: readonly string[]): Promise<GateState[]>
  /** Destinations whose breaker is open, or tried. */
  openBreakers(): Promise<string[]>
  /** Closes the breaker of a destination, or forgets the faults of one that is closed. */
  reset(destination: string): Promise<void>
}

type Answer = [
  breaker: keyof typeof breakerStates,
  ...[failureRate: string, openedAt: number, probesAt: number],
  ...[why: ShutReason | '', until: number, rate: number, nextTurnAt: number],
]

/** Reads what the transition script keeps of destinations. */
export function createGates(
  redis: Redis,
  transitions: Pick<Transitions, 'resetBreaker'>,
  now: () => number = Date.now,
): Gates {
  const script = loadScript(redis, 'gate-states')
  const states: Gates['states'] = async (destinations) => {
    if (destinations.length === 0) return []
    const answers = (await script([], ['', keys.prefix, ...destinations])) as Answer[]
    return answers.map((answer) => stateOf(answer, now()))
  }
  return {
    states,
    reset: transitions.resetBreaker,
    async openBreakers() {
      const noted = await redis.zrange(keys.breakers, '0', '-1')
      const found = await states(noted)
      // What is known of a destination ends when it is deleted.
      return noted.filter((_, i) => isOpen(found[i]?.breaker.state))
    },
  }
}

const isOpen = (state: BreakerState | undefined) => state === 'OPEN' || state === 'HALF_OPEN'

function stateOf(answer: Answer, now: number): GateState {
  const [breaker, failureRate, openedAt, probesAt, why, until, , nextTurnAt] = answer
  return {
    breaker: {
      state: breakerStates[breaker],
      failureRate: failureRate === '' ? null : Number(failureRate),
      openedAt: openedAt || null,
      probesAt: probesAt || null,
    },
    shut: why === '' ? null : { why, until },
    nextTurnAt: nextTurnAt > now ? nextTurnAt : null,
  }
}
