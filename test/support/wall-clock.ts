const dayMs = 86_400_000
const minuteMs = 60_000
export const weekdayNames = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const

/** What a clock on a wall of the zone shows. `day`: 0 is Monday. */
export type WallTime = { day: number; minute: number }

const formats = new Map<string, Intl.DateTimeFormat>()

/** By the platform's own calendar, so that tests do not ask the library that the code asks. */
export function wallTime(zone: string, atMs: number): WallTime {
  const options = { timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('en-US', options as Intl.DateTimeFormatOptions)
  formats.set(zone, format)
  const [, day = '', hour, minute] = /^(\w+),? (\d+):(\d+)$/.exec(format.format(atMs)) ?? []
  return { day: weekdayNames.indexOf(day as 'Mon'), minute: Number(hour) * 60 + Number(minute) }
}

const weekMinute = ({ day, minute }: WallTime) => day * 1_440 + minute
/** Minutes by which the wall is ahead of UTC, within a week. */
const ahead = (zone: string, atMs: number) =>
  (weekMinute(wallTime(zone, atMs)) - weekMinute(wallTime('UTC', atMs)) + 10_080) % 10_080

/** Minutes, as epoch milliseconds, at which the zone's clocks change. */
export function clockChanges(zone: string, fromMs: number, toMs: number): number[] {
  const found: number[] = []
  for (let at = fromMs; at < toMs; at += 7 * dayMs) {
    const before = ahead(zone, at)
    let [low, high] = [at, at + 7 * dayMs]
    if (ahead(zone, high) === before) continue
    while (high - low > minuteMs) {
      const middle = low + Math.floor((high - low) / minuteMs / 2) * minuteMs
      if (ahead(zone, middle) === before) low = middle
      else high = middle
    }
    found.push(high)
  }
  return found
}
