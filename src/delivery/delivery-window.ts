import { type AccessWindow, parseAccessWindow } from '../tenants/access-window.ts'

/** The hours that are next, or now, without deliveries, in epoch milliseconds: from `from` up to `until`. */
export type ShutHours = { from: number; until: number }

/** Of a window that does not open within weeks, or never: the end of the year 9999. */
const farMs = 253_402_300_799_000
const never: ShutHours = { from: farMs, until: farMs }

/** When a window like this one is shut next; while it is, `from` is 0. Null: always open. */
export type ShutHoursOf = (deliveryWindow: string | null, atMs: number) => ShutHours

/** Remembers the windows that it has read, as many as there are destinations. */
export function deliveryWindows(max = 10_000): ShutHoursOf {
  const windows = new Map<string, AccessWindow>()
  const read = (text: string): AccessWindow => {
    const known = windows.get(text)
    if (known) return known
    if (windows.size >= max) windows.clear()
    const window = parseAccessWindow(text)
    windows.set(text, window)
    return window
  }
  return (text, atMs) => {
    if (text === null) return never
    const window = read(text)
    const from = window.isOpen(atMs) ? window.closesAt(atMs) : 0
    if (from === null) return never
    return { from, until: window.nextOpening(from === 0 ? atMs : from) ?? farMs }
  }
}
