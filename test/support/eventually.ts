import { vi } from 'vitest'

/** Waits until `check` no longer throws, looking every `interval` ms, and returns what it returned. */
export const eventually = <Value>(check: () => Value | Promise<Value>, interval = 20) =>
  vi.waitFor(check, { timeout: 60_000, interval })
