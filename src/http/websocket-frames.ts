import type { GanchoError } from '../errors.ts'
import type { ResultBatch, ResultMessage } from '../graphql/operation-stream.ts'
import { endingJson } from './event-stream-frames.ts'

const payloads = new WeakMap<ResultBatch, readonly string[]>()

/** The payloads of a batch, built once for however many subscribers. */
function payloadsOf(batch: ResultBatch): readonly string[] {
  const known = payloads.get(batch)
  if (known) return known
  const built = batch.messages.map(withCursor)
  payloads.set(batch, built)
  return built
}

/** A result is a JSON object without extensions of its own: its end makes room for them. */
const withCursor = ({ json, cursor }: ResultMessage) =>
  cursor === undefined ? json : `${json.slice(0, -1)},"extensions":{"cursor":${JSON.stringify(cursor)}}}`

/** `next` messages of the protocol graphql-transport-ws, around results that are JSON already. */
export const nextMessages = (id: string, batch: ResultBatch): string[] =>
  payloadsOf(batch).map((payload) => nextMessage(id, payload))

const nextMessage = (id: string, payload: string) =>
  `{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`

/** The last `next` of an operation that ends before its time. */
export const endingMessage = (
  id: string,
  error: GanchoError,
  requestId: string,
  cursor: string | undefined,
) => nextMessage(id, endingJson(error, requestId, cursor))

/** A `ping` that tells where each operation is, so that a client whose filter seldom matches resumes from there. */
export const pingMessage = (cursors: Readonly<Record<string, string>>) =>
  JSON.stringify({ type: 'ping', payload: { cursors } })
