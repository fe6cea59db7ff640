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
  /** Pause after a turn that returned nothing to say, and after a failed one. */
  everyMs: number
  /** Returns true to be called again at once. */
  turn: () => Promise<boolean>
}

/** Runs `turn` over and over until stopped; an error is logged once and then again only after a turn that went well. */
export function repeat({ name, log, everyMs, turn }: Options): Repeating {
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let troubled = false

  const attempt = async (): Promise<boolean> => {
    try {
      const again = await turn()
      if (troubled) log.info(`${name}: working again`)
      troubled = false
      return again
    } catch (err) {
      if (!troubled && !stop.signal.aborted) log.error({ err }, `${name}: failed, trying again`)
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
