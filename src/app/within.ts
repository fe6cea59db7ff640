import { setTimeout as sleep } from 'node:timers/promises'

/** Time for what is left when a part must stop: attempts that were broken off are recorded, leases are given back. */
export const handBackMs = 3_000

/** Waits for `done`, but no longer than `ms`. */
export async function within(done: Promise<unknown>, ms: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined)
  await Promise.race([done, late])
  timer.abort()
}
