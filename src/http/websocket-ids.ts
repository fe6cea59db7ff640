/**
 * graphql-ws forgets an operation by its id when that ends, which may be after its client used the id for another one. So each operation
 * has an id of its own between here and there: a number before the client's.
 */
export class OperationIds {
  readonly #running = new Map<string, string>()
  #last = 0

  /** A client's message with the id that graphql-ws is to know; as it is when it names no operation. */
  inward(text: string): string {
    const message = operationMessage(text)
    if (!message) return text
    const { id, type } = message
    // Of an operation that is still running, it is for graphql-ws to refuse.
    const own = this.#running.get(id) ?? (type === 'subscribe' ? `${++this.#last}:${id}` : id)
    if (type === 'subscribe') this.#running.set(id, own)
    else this.#running.delete(id)
    return JSON.stringify({ ...message, id: own })
  }

  /** A message of graphql-ws with the id that its client gave. */
  outward(text: string): string {
    const found = /^\{"id":"\d+:/.exec(text)
    if (!found) return text
    const own = `{"id":"${text.slice(found[0].length)}`
    if (!ending.test(text)) return own
    const { id } = JSON.parse(own) as { id: string }
    // An operation that came after it may have the id by now.
    if (this.#running.get(id) === (JSON.parse(text) as { id: string }).id) this.#running.delete(id)
    return own
  }
}

/** The id that a client gave to the operation that graphql-ws knows by this one. */
export const clientId = (own: string): string => own.slice(own.indexOf(':') + 1)

/** Beginning of the messages after which an id is free: strings in JSON escape their quotes. */
const ending = /^\{"id":"(?:[^"\\]|\\.)*","type":"(?:complete|error)"/

type OperationMessage = { id: string; type: 'subscribe' | 'complete' }

function operationMessage(text: string): OperationMessage | undefined {
  try {
    const message: Partial<OperationMessage> | null = JSON.parse(text)
    const { id, type } = message ?? {}
    const isOne = typeof id === 'string' && id !== '' && (type === 'subscribe' || type === 'complete')
    return isOne ? (message as OperationMessage) : undefined
  } catch {
    // For graphql-ws to answer.
    return undefined
  }
}
