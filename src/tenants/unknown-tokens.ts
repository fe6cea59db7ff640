type Options = { now: () => number; forMs: number; max: number }

/** Hashes of tokens that nobody has, remembered briefly, so that a client with a wrong token does not become load on the database. */
export class UnknownTokens {
  readonly #options: Options
  readonly #until = new Map<string, number>()

  constructor(options: Options) {
    this.#options = options
  }

  has(hash: string): boolean {
    const until = this.#until.get(hash)
    if (until === undefined) return false
    if (this.#options.now() < until) return true
    this.#until.delete(hash)
    return false
  }

  /** Makes room by forgetting the oldest. */
  add(hash: string): void {
    const [oldest] = this.#until.size >= this.#options.max ? this.#until.keys() : []
    if (oldest !== undefined) this.#until.delete(oldest)
    this.#until.set(hash, this.#options.now() + this.#options.forMs)
  }

  clear(): void {
    this.#until.clear()
  }
}
