import type { IncomingHttpHeaders } from 'node:http'

/** The media ranges of an Accept header (RFC 9110, section 12.5.1) that are not refused by `q=0`, in lower case. */
function acceptedRanges({ accept = '' }: IncomingHttpHeaders): string[] {
  return accept
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
    .filter(([range, ...parameters]) => range && !parameters.some((one) => /^q=0(\.0*)?$/.test(one)))
    .map(([range = '']) => range)
}

const eventStream = 'text/event-stream'
const jsonTypes = ['application/json', 'application/graphql-response+json']

/** Whether event streams are named: `*` does not, since who sends it does not expect an answer without an end. */
export const acceptsEventStream = (headers: IncomingHttpHeaders) =>
  acceptedRanges(headers).includes(eventStream)

/** The JSON forms that are accepted too, as the value of an Accept header; empty when there is none. */
export const acceptedJson = (headers: IncomingHttpHeaders): string =>
  acceptedRanges(headers)
    .flatMap((range) => (['*/*', 'application/*'].includes(range) ? 'application/json' : range))
    .filter((range) => jsonTypes.includes(range))
    .join(', ')
