import { type Asker, FairQueue } from './fair-queue.ts'

/** How long is worked on in one turn of the event loop, before connections, timers and intake have theirs. */
const turnMs = 10

/** Parts out work that would hold up the event loop of this process, in fair turns: whoever asks goes on alone until it waits for something. */
export class Pacer {
  readonly #waiting = new FairQueue<() => void>()
  #isGiving = false

  /** Resolves when the asker may go on with one small piece of work. It has its turns in the order in which it asked. */
  turn(asker: Asker): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(asker, resolve)
      if (this.#isGiving) return
      this.#isGiving = true
      setImmediate(() => this.#give())
    })
  }

  #give(): void {
    const end = performance.now() + turnMs
    const next = () => {
      if (performance.now() > end) {
        setImmediate(() => this.#give())
        return
      }
      const goOn = this.#waiting.shift()
      if (!goOn) {
        this.#isGiving = false
        return
      }
      goOn()
      // Behind all that it does without waiting, which is known to be over when the queue of microtasks is empty.
      queueMicrotask(() => process.nextTick(next))
    }
    next()
  }
}
