/** Reads of what may change while it is read: never two of one key at once, and once more when it has changed meanwhile. */
export class Rereads {
  readonly #running = new Map<string, { again: boolean }>()

  /**
   * Reads, unless that is under way: then what is read is out of date, and is read again. `isOutdated` tells `read`, which has its
   * answer, whether it may be kept. Rejects with what `read` rejects with.
   */
  async read(key: string, read: (isOutdated: () => boolean) => Promise<void>): Promise<void> {
    const running = this.#running.get(key)
    if (running) running.again = true
    if (running) return
    const own = { again: false }
    this.#running.set(key, own)
    try {
      do {
        own.again = false
        await read(() => own.again)
      } while (own.again)
    } finally {
      this.#running.delete(key)
    }
  }

  /** Has everything that is being read be read again. */
  outdateAll(): void {
    for (const running of this.#running.values()) running.again = true
  }
}
