import type { Logger } from 'pino'
import type { Lanes } from '../events/lanes.ts'
import { sharedRun } from '../redis/shared-run.ts'
import type { QueueCounts, QueueOverview } from './queue-overview.ts'

export type QueueSnapshot = { name: string; counts: QueueCounts }
type Snapshots = readonly QueueSnapshot[]

export type QueueStats = {
  /**
   * What all queues hold, at once and then about every `everyMs` ms, rounded up to one of a few steps. Whoever reads slowly gets the
   * latest alone. @throws whatever kept the first from being read
   */
  watch(everyMs: number): Promise<AsyncIterableIterator<Snapshots>>
  /** Ends all who watch. */
  close(): void
}

type Deps = { lanes: Pick<Lanes, 'all'>; overview: QueueOverview; log: Logger; tickMs?: number }

export const shortestStepMs = 500
/** Multiples of a tick, so that one timer serves them all. */
const stepsInTicks = [1, 2, 4, 10, 20, 60, 120]

/** Reads the queues once for all who watch them: by one timer, which runs while there are any. */
export function createQueueStats({ lanes, overview, log, tickMs = shortestStepMs }: Deps): QueueStats {
  const watchers = new Set<Watcher>()
  let timer: NodeJS.Timeout | undefined
  let ticks = 0
  let isTroubled = false

  /** What takes longer than a tick is not asked twice. */
  const read = sharedRun<Snapshots>(async () =>
    Promise.all(lanes.all().map(async ({ name }) => ({ name, counts: await overview.counts(name) }))),
  )
  const tick = async () => {
    ticks += 1
    const due = [...watchers].filter(({ step }) => ticks % step === 0)
    if (due.length === 0) return
    try {
      const snapshots = await read()
      for (const watcher of due) watcher.put(snapshots)
      isTroubled = false
    } catch (err) {
      if (!isTroubled) log.warn({ err }, 'Queue statistics cannot be read')
      isTroubled = true
    }
  }
  const leave = (watcher: Watcher) => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    async watch(everyMs) {
      const first = await read()
      const step = stepsInTicks.find((one) => one * tickMs >= everyMs) ?? Number(stepsInTicks.at(-1))
      const watcher = new Watcher(step, first, leave)
      watchers.add(watcher)
      timer ??= setInterval(tick, tickMs).unref()
      return watcher
    },
    close() {
      for (const watcher of [...watchers]) void watcher.return()
    },
  }
}

/** Holds one value for its reader: the latest. */
class Watcher implements AsyncIterableIterator<Snapshots, undefined> {
  readonly step: number
  readonly #leave: (watcher: Watcher) => void
  #latest: Snapshots | undefined
  #waiting: ((result: IteratorResult<Snapshots, undefined>) => void) | undefined
  #isOver = false

  constructor(step: number, first: Snapshots, leave: (watcher: Watcher) => void) {
    this.step = step
    this.#latest = first
    this.#leave = leave
  }

  put(value: Snapshots): void {
    if (this.#waiting) this.#waiting({ done: false, value })
    else this.#latest = value
    this.#waiting = undefined
  }

  async next(): Promise<IteratorResult<Snapshots, undefined>> {
    if (this.#isOver) return { done: true, value: undefined }
    const value = this.#latest
    this.#latest = undefined
    if (value) return { done: false, value }
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  async return(): Promise<IteratorResult<Snapshots, undefined>> {
    this.#isOver = true
    this.#waiting?.({ done: true, value: undefined })
    this.#waiting = undefined
    this.#leave(this)
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
