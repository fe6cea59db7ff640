import type { IANAZone } from 'luxon'
import { readHours, type ZoneHours } from './access-window-text.ts'

/** Hours in which a token is honoured. Times are epoch milliseconds. */
export type AccessWindow = {
  /** As it was written. */
  text: string
  isOpen(atMs: number): boolean
  /** The first moment from `atMs` on at which it is open: `atMs` itself while it is. Null when there is none. */
  nextOpening(atMs: number): number | null
  /** When the opening ends that `atMs` lies in. Null while it is closed, and when it never closes. */
  closesAt(atMs: number): number | null
}

/** A time in which nothing changes; `changes` tells whether the opposite follows at `until`. */
type Stretch = { open: boolean; from: number; until: number; changes: boolean }

const minuteMs = 60_000
const dayMs = 86_400_000
const weekMs = 7 * dayMs
/** 1 January 1970 was a Thursday. */
const firstMondayMs = 4 * dayMs
/** No zone changes its clocks twice within that time. */
const stepMs = dayMs / 2
/** A weekly window opens every week, except where a change of clocks skips its hours: then in the week after. */
const horizonMs = 3 * weekMs

/**
 * An access window from its text, see `readHours`. What a clock on a wall of the zone shows decides: hours that a change of clocks
 * skips do not come, and hours that it repeats come twice.
 * @throws GanchoError BAD_REQUEST
 */
export function parseAccessWindow(text: string): AccessWindow {
  const hours = readHours(text)
  let known: Stretch = { open: false, from: 0, until: 0, changes: false }
  const stretchAt = (atMs: number): Stretch => {
    if (atMs >= known.from && atMs < known.until) return known
    known = stretchFrom(hours, atMs)
    return known
  }
  return {
    text,
    isOpen: (atMs) => stretchAt(atMs).open,
    nextOpening(atMs) {
      const { open, until, changes } = stretchAt(atMs)
      if (open) return atMs
      return changes ? until : null
    },
    closesAt(atMs) {
      const { open, until, changes } = stretchAt(atMs)
      return open && changes ? until : null
    },
  }
}

function stretchFrom(hours: readonly ZoneHours[], from: number): Stretch {
  const { open, until } = pieceAt(hours, from)
  const end = from + horizonMs
  let next = pieceAt(hours, until)
  let last = until
  while (next.open === open && next.until < end) {
    last = next.until
    next = pieceAt(hours, last)
  }
  return { open, from, until: last, changes: next.open !== open }
}

type Piece = { open: boolean; until: number }

/** Some time from `at` on in which nothing changes. */
function pieceAt(hours: readonly ZoneHours[], at: number): Piece {
  const pieces = hours.map((one) => pieceInZone(one, at))
  return { open: pieces.some(({ open }) => open), until: Math.min(...pieces.map(({ until }) => until)) }
}

function pieceInZone({ zone, spans }: ZoneHours, at: number): Piece {
  const offset = offsetMs(zone, at)
  const inWeek = (((at + offset - firstMondayMs) % weekMs) + weekMs) % weekMs
  let open = false
  let next = Math.min(inWeek + stepMs, weekMs)
  for (const span of spans) {
    const from = span.from * minuteMs
    const to = span.to * minuteMs
    if (from <= inWeek && inWeek < to) open = true
    if (inWeek < from) next = Math.min(next, from)
    if (inWeek < to) next = Math.min(next, to)
  }
  const until = at + next - inWeek
  return { open, until: offsetMs(zone, until) === offset ? until : clocksChangeMs(zone, at, until) }
}

const offsetMs = (zone: IANAZone, at: number) => Math.round(zone.offset(at) * minuteMs)

/** The moment after `before` and up to `after` at which the zone's offset changes, by halving. */
function clocksChangeMs(zone: IANAZone, before: number, after: number): number {
  const old = offsetMs(zone, before)
  let [low, high] = [before, after]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetMs(zone, middle) === old) low = middle
    else high = middle
  }
  return high
}
