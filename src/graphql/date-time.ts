import { GraphQLScalarType } from 'graphql'
import { GraphQLDateTime } from 'graphql-scalars'

const config = GraphQLDateTime.toConfig()

/** The one of graphql-scalars, which leaves it to `JSON.stringify` to write its dates: that takes much longer for a whole answer. */
export const DateTime = new GraphQLScalarType({
  ...config,
  serialize: (value) => (isUsual(value) ? isoText(value) : (config.serialize(value) as Date).toISOString()),
})

const dayMs = 86_400_000
/** The first millisecond of the year 10000, from which on years are written in another form. */
const endOfUsual = 253_402_300_800_000
const isUsual = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < endOfUsual

const padded = (count: number, length: number) =>
  Array.from({ length: count }, (_, value) => String(value).padStart(length, '0'))
const two = padded(60, 2)
const three = padded(1_000, 3)
const lastDay = { day: Number.NaN, text: '' }

/** What `toISOString` writes, which works the date out anew for each of the times in an answer: nearly all are of one day. */
function isoText(ms: number): string {
  const day = Math.floor(ms / dayMs)
  if (day !== lastDay.day) Object.assign(lastDay, { day, text: new Date(ms).toISOString().slice(0, 11) })
  const seconds = Math.floor((ms % dayMs) / 1_000)
  const minutes = Math.floor(seconds / 60)
  return `${lastDay.text}${two[Math.floor(minutes / 60)]}:${two[minutes % 60]}:${two[seconds % 60]}.${three[ms % 1_000]}Z`
}
