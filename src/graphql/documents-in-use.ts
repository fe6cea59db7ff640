import { createHash } from 'node:crypto'
import { GanchoError } from '../errors.ts'

/** Counts the different documents that each tenant is subscribed with: each is kept, and worked out for itself, as long as it is in use. */
export class DocumentsInUse {
  readonly #max: number
  readonly #byCnpj = new Map<string, Map<string, number>>()

  constructor(max: number) {
    this.#max = max
  }

  /**
   * Takes note of one more subscription.
   * @returns what takes note of its end
   * @throws GanchoError TOO_MANY_SUBSCRIPTIONS for one document too many
   */
  take(cnpj: string, text: string): () => void {
    const used = this.#byCnpj.get(cnpj) ?? new Map<string, number>()
    const hash = createHash('sha256').update(text).digest('base64')
    const count = used.get(hash) ?? 0
    if (count === 0 && used.size >= this.#max) throw tooMany(this.#max)
    this.#byCnpj.set(cnpj, used.set(hash, count + 1))
    return () => {
      const left = (used.get(hash) ?? 0) - 1
      if (left > 0) used.set(hash, left)
      else used.delete(hash)
      if (used.size === 0) this.#byCnpj.delete(cnpj)
    }
  }
}

const tooMany = (max: number) =>
  new GanchoError(
    'TOO_MANY_SUBSCRIPTIONS',
    `A tenant's subscriptions have at most ${max} different documents. Give what differs between them, such as ids and cursors, as variables.`,
    { details: { max } },
  )
