import { GanchoError } from '../errors.ts'

export type LookUpsOptions = {
  now: () => number
  /** Asked of the database at one time. */
  maxInFlight: number
  /** Waiting for their turn. */
  maxWaiting: number
  /** Look-ups of what may be unknown: so many at once, and then so many a second. */
  burst: number
  perSecond: number
}

/**
 * Reads of the database, once for all who want the same thing, few at a time. What only a stranger might ask for is bounded in
 * number too, so that a flood of bad tokens does not become a flood of queries.
 */
export class LookUps {
  readonly #options: LookUpsOptions
  readonly #running = new Map<string, Promise<unknown>>()
  readonly #waiting: (() => void)[] = []
  #inFlight = 0
  #allowance: number
  #allowedAt: number

  constructor(options: LookUpsOptions) {
    this.#options = options
    this.#allowance = options.burst
    this.#allowedAt = options.now()
  }

  /** @throws GanchoError LOOK_UPS_BUSY when `ofStranger` and there have been too many, or too much waits already */
  read<T>(key: string, fetch: () => Promise<T>, ofStranger: boolean): Promise<T> {
    const running = this.#running.get(key) as Promise<T> | undefined
    if (running) return running
    if (ofStranger && !this.#take()) throw busy()
    const reading = this.#inTurn(fetch).finally(() => {
      if (this.#running.get(key) === reading) this.#running.delete(key)
    })
    this.#running.set(key, reading)
    return reading
  }

  /** Whoever asks from now on gets what is read from now on. */
  startAnew(): void {
    this.#running.clear()
  }

  async #inTurn<T>(fetch: () => Promise<T>): Promise<T> {
    if (this.#inFlight < this.#options.maxInFlight) this.#inFlight++
    else await this.#turn()
    try {
      return await fetch()
    } finally {
      const next = this.#waiting.shift()
      // The next one takes over this one's place.
      if (next) next()
      else this.#inFlight--
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#options.maxWaiting) throw busy()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #take(): boolean {
    const { now, burst, perSecond } = this.#options
    const at = now()
    this.#allowance = Math.min(burst, this.#allowance + ((at - this.#allowedAt) * perSecond) / 1_000)
    this.#allowedAt = at
    if (this.#allowance < 1) return false
    this.#allowance--
    return true
  }
}

const busy = () => new GanchoError('LOOK_UPS_BUSY', undefined, { retryAfterSeconds: 1 })
