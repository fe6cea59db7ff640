/** The rules of a destination's breaker once more, the plain way: over a list of all that happened. Times are milliseconds. */
export type BreakerPolicy = { failureRate: number; attempts: number; cooldownMs: number }
export type OutcomeClass = 'ok' | 'fault' | 'none'
type Attempt = { at: number; fault: boolean }
type State = 'closed' | 'open' | 'half-open' | 'closing'

const sliceMs = 10_000
const sliceOf = (ms: number) => Math.floor(ms / sliceMs)

export class BreakerModel {
  readonly #policy: BreakerPolicy
  #isOpen = false
  #probesAt = 0
  #cooldownMs = 0
  #closedAt = Number.NEGATIVE_INFINITY
  #attempts: Attempt[] = []
  #row = 0
  #probes = new Map<number, number>()

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  state(now: number): State {
    if (this.#isOpen) return now < this.#probesAt ? 'open' : 'half-open'
    return now < this.#closedAt + 60_000 ? 'closing' : 'closed'
  }

  /** Most jobs under way; undefined for any number. */
  limit(now: number): number | undefined {
    const limits = { open: 0, 'half-open': 3, closed: undefined }
    const state = this.state(now)
    return state === 'closing' ? 2 * 2 ** Math.floor((now - this.#closedAt) / 5_000) : limits[state]
  }

  start(n: number, leaseMs: number, now: number): boolean {
    const state = this.state(now)
    if (state !== 'half-open') return state !== 'open'
    for (const [probe, end] of this.#probes) if (end <= now) this.#probes.delete(probe)
    if (!this.#probes.has(n) && this.#probes.size >= 3) return false
    this.#probes.set(n, now + leaseMs)
    return true
  }

  finish(n: number, of: OutcomeClass, startedAt: number, now: number): 'opened' | 'closed' | null {
    const state = this.state(now)
    if (this.#isOpen) return this.#finishWhileOpen(n, of, now)
    if (of === 'none' || startedAt < this.#closedAt) return null
    this.#attempts.push({ at: now, fault: of === 'fault' })
    this.#row = of === 'fault' ? this.#row + 1 : 0
    const { attempts, failureRate } = this.#policy
    const recent = this.#attempts.filter(({ at }) => sliceOf(at) > sliceOf(now) - 6)
    const faults = recent.filter(({ fault }) => fault).length
    const sample = state === 'closing' ? Math.min(5, attempts) : attempts
    const isRateHigh = recent.length >= sample && faults / recent.length >= failureRate
    if (of === 'ok' || (!isRateHigh && this.#row < attempts)) return null
    this.#open(state === 'closed', now)
    return 'opened'
  }

  #finishWhileOpen(n: number, of: OutcomeClass, now: number): 'closed' | null {
    const isProbe = this.#probes.delete(n)
    if (now < this.#probesAt || !isProbe || of === 'none') return null
    if (of === 'fault') {
      this.#open(false, now)
      return null
    }
    this.#isOpen = false
    this.#closedAt = now
    this.#forget()
    return 'closed'
  }

  #open(isFirst: boolean, now: number) {
    const { cooldownMs } = this.#policy
    this.#cooldownMs = isFirst ? cooldownMs : Math.min(this.#cooldownMs * 2, cooldownMs * 16)
    this.#isOpen = true
    this.#probesAt = now + this.#cooldownMs
    this.#forget()
  }

  #forget() {
    this.#attempts = []
    this.#row = 0
    this.#probes.clear()
  }
}
