import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

/** `at` is in epoch milliseconds. */
export type Use = { id: string; at: number }

type Deps = {
  /** Writes many at once. May throw GanchoError DATABASE_UNAVAILABLE. */
  write: (uses: readonly Use[]) => Promise<void>
  /** What is used, in the plural, for the log. */
  what: string
  log: Pick<Logger, 'warn'>
  everyMs?: number
}

const batch = 500
const lastWriteMs = 2_000
/** While the database is down, more than this are not remembered. */
const maxNoted = 100_000

/** When tokens, or sources, were last used, written from time to time and for many at once. Nobody waits for it. */
export class LastUses {
  readonly #deps: Deps
  readonly #noted = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #writing: Promise<void> = Promise.resolve()

  constructor(deps: Deps) {
    this.#deps = deps
    this.#timer = setInterval(() => void this.write(), deps.everyMs ?? 60_000)
    this.#timer.unref()
  }

  note(id: string, at: number): void {
    if (this.#noted.size < maxNoted || this.#noted.has(id)) this.#noted.set(id, at)
  }

  /** Writes what was noted so far. What cannot be written stays noted. Never throws. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeNoted())
    return this.#writing
  }

  /** Writes what is left, once, and does not wait long for it: the times are coarse, and a stop is bounded. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    const waited = new AbortController()
    const late = sleep(lastWriteMs, undefined, { signal: waited.signal }).catch(() => undefined)
    await Promise.race([this.write(), late])
    waited.abort()
  }

  async #writeNoted(): Promise<void> {
    const uses = [...this.#noted].map(([id, at]) => ({ id, at }))
    for (let from = 0; from < uses.length; from += batch) {
      const part = uses.slice(from, from + batch)
      try {
        await this.#deps.write(part)
      } catch (error) {
        return this.#deps.log.warn({ err: error }, `cannot write when ${this.#deps.what} were last used`)
      }
      for (const { id, at } of part) if (this.#noted.get(id) === at) this.#noted.delete(id)
    }
  }
}
