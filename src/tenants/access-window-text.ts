import { IANAZone } from 'luxon'
import { GanchoError } from '../errors.ts'

/** Minutes of a local week that begins on Monday at 00:00; `to` is the first minute after it. */
export type WeekSpan = { from: number; to: number }
/** The hours of one time zone. Spans may overlap. */
export type ZoneHours = { zone: IANAZone; spans: readonly WeekSpan[] }

const dayMinutes = 1_440
const weekMinutes = 7 * dayMinutes
const maxLength = 500
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** What was read and still waits for its hours, or for its time zone. */
type Reading = { days: number[]; daysHaveHours: boolean; spans: WeekSpan[]; read: ZoneHours[] }

/**
 * Reads the hours of an access window: weekdays, hours, then the IANA time zone of all hours before it. `Mon-Fri 08:00-12:00,
 * 13:00-18:00; Sat 22:00-06:00 America/Sao_Paulo; Sun 00:00-24:00 UTC`. Hours that end at or before their start end the next day.
 * @throws GanchoError BAD_REQUEST
 */
export function readHours(text: string): ZoneHours[] {
  if (text.length > maxLength) throw refusal(`it has more than ${maxLength} characters`)
  const words = text.replace(/\s*-\s*/g, '-').match(/;|[^\s,;]+/g) ?? []
  const reading: Reading = { days: [], daysHaveHours: true, spans: [], read: [] }
  for (const word of words) take(reading, word)
  requireHours(reading)
  if (reading.spans.length > 0 || reading.read.length === 0) throw refusal('it does not end with a time zone')
  return reading.read
}

function take(reading: Reading, word: string): void {
  const days = daysOf(word)
  if (days) takeDays(reading, days)
  else if (word === ';') {
    requireHours(reading)
    reading.days = []
  } else if (/^\d/.test(word)) takeHours(reading, word)
  else takeZone(reading, word)
}

function takeDays(reading: Reading, days: number[]): void {
  if (reading.daysHaveHours) reading.days = []
  reading.days.push(...days)
  reading.daysHaveHours = false
}

function takeHours(reading: Reading, word: string): void {
  const { start, end } = hoursOf(word)
  if (reading.days.length === 0) throw refusal(`no weekdays stand before ${word}`)
  for (const day of reading.days) reading.spans.push(...spansOf(day, start, end))
  reading.daysHaveHours = true
}

function takeZone(reading: Reading, name: string): void {
  requireHours(reading)
  if (!IANAZone.isValidZone(name) || !/^[a-z]/i.test(name))
    throw refusal(`${JSON.stringify(name.slice(0, 40))} is neither a weekday nor a time zone`)
  if (reading.spans.length === 0) throw refusal(`no hours stand before ${name}`)
  reading.read.push({ zone: IANAZone.create(name), spans: reading.spans })
  reading.spans = []
  reading.days = []
}

function requireHours({ daysHaveHours }: Reading): void {
  if (!daysHaveHours) throw refusal('weekdays have no hours')
}

/** `Mon`, or `Sat-Tue`; undefined for another word. */
function daysOf(word: string): number[] | undefined {
  const ends = word.toLowerCase().split('-')
  const [first = -1, last = first] = ends.map((name) => weekdays.indexOf(name))
  if (ends.length > 2 || first < 0 || last < 0) return undefined
  const length = ((last - first + 7) % 7) + 1
  return Array.from({ length }, (_, index) => (first + index) % 7)
}

function hoursOf(word: string): { start: number; end: number } {
  const found = /^(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$/.exec(word)?.slice(1).map(Number)
  const [startHour = 0, startMinute = 0, endHour = 0, endMinute = 0] = found ?? []
  const start = startHour * 60 + startMinute
  const end = endHour * 60 + endMinute
  const exists = startMinute < 60 && endMinute < 60 && start < dayMinutes && end <= dayMinutes
  if (!found || !exists)
    throw refusal(`${JSON.stringify(word.slice(0, 40))} are no hours such as 08:00-18:00`)
  if (start === end) throw refusal(`${word} is empty; a whole day is 00:00-24:00`)
  return { start, end }
}

/** Sunday's night goes on at the start of the week. */
function spansOf(day: number, start: number, end: number): WeekSpan[] {
  const from = day * dayMinutes + start
  const to = day * dayMinutes + end + (end < start ? dayMinutes : 0)
  if (to <= weekMinutes) return [{ from, to }]
  return [
    { from, to: weekMinutes },
    { from: 0, to: to - weekMinutes },
  ]
}

const refusal = (why: string) =>
  new GanchoError(
    'BAD_REQUEST',
    `An access window reads like Mon-Fri 08:00-18:00 America/Sao_Paulo; in this one ${why}.`,
  )
