export type LogLimits = { count: number; bytes: number }

/** A log of what weighs something: appended at its end, dropped at its start when it grows beyond its limits, read by index. */
export class BoundedLog<Item extends LogLimits> {
  readonly #items = new Map<number, Item>()
  #start = 0
  #end = 0
  #count = 0
  #bytes = 0

  /** Index of the first item that is kept; `end` when none is. */
  get start(): number {
    return this.#start
  }

  /** Index that the next item will have. An item keeps its index. */
  get end(): number {
    return this.#end
  }

  /** What it holds. */
  get weight(): LogLimits {
    return { count: this.#count, bytes: this.#bytes }
  }

  /** Undefined for an item that is dropped or still to come. */
  at(index: number): Item | undefined {
    return this.#items.get(index)
  }

  push(item: Item): void {
    this.#items.set(this.#end, item)
    this.#end += 1
    this.#count += item.count
    this.#bytes += item.bytes
  }

  /** Drops the oldest items until the rest is within the limits or one alone; returns the last one that went. */
  shrink({ count, bytes }: LogLimits): Item | undefined {
    let dropped: Item | undefined
    while (this.#items.size > 1 && (this.#count > count || this.#bytes > bytes)) dropped = this.#dropFirst()
    return dropped
  }

  clear(): void {
    while (this.#items.size > 0) this.#dropFirst()
  }

  #dropFirst(): Item | undefined {
    const first = this.#items.get(this.#start)
    this.#items.delete(this.#start)
    this.#start += 1
    this.#count -= first?.count ?? 0
    this.#bytes -= first?.bytes ?? 0
    return first
  }
}
