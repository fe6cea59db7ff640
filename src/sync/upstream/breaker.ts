import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  handleWhenResult,
  SamplingBreaker,
} from 'cockatiel'

export type BreakerOptions = {
  /** Share of failures, between 0 and 1, above which it opens. */
  threshold: number
  /** Calls in `windowMs` below which it stays closed, however many fail. */
  minimumCalls: number
  windowMs: number
  /** How long it stays open before one call is let through to try. */
  openMs: number
}

/** What one call showed: `unknown` when it was broken off too early to tell. */
export type Sign = 'healthy' | 'broken' | 'unknown'

export type Breaker = {
  /** Runs `call`, or answers undefined at once while it is open. One call at a time tries whether it can close again. */
  run<Value>(call: () => Promise<Value>, sign: (value: Value) => Sign): Promise<Value | undefined>
}

type Signed = { sign: Sign; probing: boolean; value: unknown }
type Deps = { options: BreakerOptions; onOpen: () => void; onClose: () => void }

/** A circuit breaker of this process alone. */
export function createBreaker({ options, onOpen, onClose }: Deps): Breaker {
  const { threshold, minimumCalls, windowMs, openMs } = options
  // Nobody whose call is cut short can open it, and nobody can close it that way.
  const counts = (result: unknown) => {
    const { sign, probing } = result as Signed
    return sign === 'broken' || (sign === 'unknown' && probing)
  }
  const sampling = new SamplingBreaker({
    threshold,
    duration: windowMs,
    minimumRps: (minimumCalls * 1_000) / windowMs,
  })
  const policy = circuitBreaker(handleWhenResult(counts), { breaker: sampling, halfOpenAfter: openMs })
  policy.onBreak(onOpen)
  policy.onReset(onClose)
  return {
    async run(call, sign) {
      // Others would wait for the outcome of the one that tries.
      if (policy.state === CircuitState.HalfOpen) return undefined
      try {
        const { value } = await policy.execute(async () => {
          const probing = policy.state === CircuitState.HalfOpen
          const value = await call()
          return { value, sign: sign(value), probing }
        })
        return value
      } catch (error) {
        if (error instanceof BrokenCircuitError) return undefined
        throw error
      }
    },
  }
}
