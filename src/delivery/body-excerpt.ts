import { StringDecoder } from 'node:string_decoder'

/** Collects the first `keepBytes` of a body and counts the rest, so that memory stays bounded whatever is sent. */
export class BodyExcerpt {
  readonly #keepBytes: number
  readonly #kept: Buffer[] = []
  #keptBytes = 0
  /** Bytes added so far, kept or not. */
  seenBytes = 0

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes
  }

  add(chunk: Buffer): void {
    this.seenBytes += chunk.length
    if (this.#keptBytes === this.#keepBytes) return
    // Copied, because a slice would keep the socket's whole read buffer alive.
    const part = Buffer.from(chunk.subarray(0, this.#keepBytes - this.#keptBytes))
    this.#kept.push(part)
    this.#keptBytes += part.length
  }

  /** What was kept, as UTF-8: wrong bytes become U+FFFD, a character cut by the limit is left out. */
  text(): string {
    const decoder = new StringDecoder('utf8')
    const text = decoder.write(Buffer.concat(this.#kept, this.#keptBytes))
    return this.seenBytes > this.#keptBytes ? text : text + decoder.end()
  }
}
