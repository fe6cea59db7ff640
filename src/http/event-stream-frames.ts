import type { GanchoError } from '../errors.ts'
import type { ResultBatch } from '../graphql/operation-stream.ts'

/** Event stream format (WHATWG HTML, section 9.2.5) of the messages of GraphQL over SSE, distinct connections mode. */
const next = (json: string, cursor: string | undefined) => `event: next\n${idLine(cursor)}data: ${json}\n\n`
const idLine = (cursor: string | undefined) => (cursor === undefined ? '' : `id: ${cursor}\n`)

/** Ends the operation. A field of empty data, because a browser drops an event without any. */
export const completeFrame = 'event: complete\ndata:\n\n'

const built = new WeakMap<ResultBatch, Buffer>()

/** The frames of a batch: built and encoded once, for however many subscribers. */
export function batchFrames(batch: ResultBatch): Buffer {
  const known = built.get(batch)
  if (known) return known
  const frames = Buffer.from(batch.messages.map(({ json, cursor }) => next(json, cursor)).join(''))
  built.set(batch, frames)
  return frames
}

/** A single result of an operation that is no subscription. */
export const resultFrame = (json: string) => next(json, undefined)

/** The time after which a browser connects again, and where it will go on from. It dispatches no event for this. */
export const openingFrame = (retryMs: number, cursor: string | undefined) =>
  `retry: ${retryMs}\n${cursor === undefined ? '' : idLine(cursor)}\n`

/** A browser remembers the id and dispatches no event; without a cursor it is a comment. */
export const keepAliveFrame = (cursor: string | undefined) =>
  cursor === undefined ? ':\n\n' : `${idLine(cursor)}\n`

/** An error as it ends a stream, with the position to go on from. */
export const endingJson = (
  { message, code, details, retryAfterSeconds }: GanchoError,
  requestId: string,
  cursor: string | undefined,
) =>
  JSON.stringify({
    errors: [{ message, extensions: { code, requestId, details, retryAfterSeconds, cursor } }],
  })

/** The last words of a stream that ends before its time. */
export const errorFrames = (json: string, cursor: string | undefined, retryMs: number | undefined) =>
  `${retryMs === undefined ? '' : `retry: ${retryMs}\n`}${next(json, cursor)}${completeFrame}`
