import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerProcess } from './server-process.ts'

type Options = {
  first: ServerProcess
  restart: () => Promise<ServerProcess>
  log: { warn(message: string): void; error(message: string): void }
  closing: AbortSignal
}

const longestPauseMs = 10_000
/** A server that ran this long did not die of being restarted too early. */
const healthyMs = 60_000

/** Restarts the server, with growing pauses, whenever it ends; resolves when it has ended after `closing`. */
export async function superviseServer({ first, restart, log, closing }: Options): Promise<void> {
  let running: ServerProcess | undefined = first
  let attempt = 0
  while (running) {
    const since = performance.now()
    await running.exited
    if (closing.aborted) return
    log.error('The Redis server ended unexpectedly. Gancho answers 503 until it is back; restarting it.')
    if (performance.now() - since > healthyMs) attempt = 0
    do {
      await sleep(Math.min(longestPauseMs, 100 * 2 ** attempt++), undefined, { signal: closing }).catch(
        () => {},
      )
      running = await restart().catch(() => undefined)
    } while (!running && !closing.aborted)
    if (running && !closing.aborted) log.warn('The Redis server is back.')
  }
}
