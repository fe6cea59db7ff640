import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

export type Repeating = {
  start(): void
  /** Resolves when the turn in hand is over. */
  stop(): Promise<void>
}

type Options = {
  name: string
  log: Logger
  /** Pause after a turn that did not ask for the next one, and after a failed one. */
  everyMs: number
  /** Resolves to true to be called again at once; what else it resolves to does not matter. */
  turn: () => Promise<unknown>
}

/** How many different errors are logged between two turns that went well: one that is never the same would fill the log. */
const mostErrors = 5

/** Runs `turn` over and over until stopped; each error is logged once, and again only after a turn that went well. */
export function repeat({ name, log, everyMs, turn }: Options): Repeating {
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let troubled = false
  const logged = new Set<string>()

  const tell = (err: unknown) => {
    const text = textOf(err)
    if (logged.has(text) || logged.size >= mostErrors) return
    logged.add(text)
    log.error({ err }, `${name}: failed, trying again`)
  }

  const attempt = async (): Promise<boolean> => {
    try {
      const again = await turn()
      if (troubled) log.info(`${name}: working again`)
      troubled = false
      logged.clear()
      return again === true
    } catch (err) {
      if (!stop.signal.aborted) tell(err)
      troubled = true
      return false
    }
  }

  const loop = async () => {
    while (!stop.signal.aborted) {
      if (await attempt()) continue
      await sleep(everyMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined)
    }
  }

  return {
    start() {
      running = loop()
    },
    stop() {
      stop.abort()
      return running
    },
  }
}

/** What an error and those behind it say, by which it is told from others. */
const textOf = (err: unknown): string =>
  err instanceof Error && err.cause !== undefined ? `${err} ${textOf(err.cause)}` : String(err)
