import type { Destination, DestinationSettings } from './destination.ts'

/** `destination` is undefined while its secrets cannot be read; it has its events all the same. */
export type Known = { settings: DestinationSettings; destination: Destination | undefined; sealed?: string }

/** The destinations in memory: by their ids, and by whom they belong to. */
export class KnownDestinations {
  #byId = new Map<string, Known>()
  #byOwner = new Map<string, readonly DestinationSettings[]>()

  byId(id: string): Known | undefined {
    return this.#byId.get(id)
  }

  /** In order of their ids; undefined for an owner without any. */
  ofOwner(owner: string): readonly DestinationSettings[] | undefined {
    return this.#byOwner.get(owner)
  }

  replaceOwner(owner: string, destinations: readonly Known[]): void {
    for (const { id } of this.#byOwner.get(owner) ?? []) this.#byId.delete(id)
    this.#byOwner.delete(owner)
    for (const one of destinations) this.#byId.set(one.settings.id, one)
    if (destinations.length > 0)
      this.#byOwner.set(
        owner,
        destinations.map(({ settings }) => settings),
      )
  }

  /** All at once, but those of `except`, which stay as they are. */
  replaceAll(destinations: readonly Known[], except: ReadonlySet<string>): void {
    const kept = [...except].map((owner) => {
      const ids = (this.#byOwner.get(owner) ?? []).map(({ id }) => id)
      return [owner, ids.flatMap((id) => this.#byId.get(id) ?? [])] as const
    })
    this.#byId = new Map()
    this.#byOwner = new Map()
    const groups = Map.groupBy(destinations, ({ settings }) => settings.cnpj ?? 'default')
    for (const [owner, group] of [...groups, ...kept]) this.replaceOwner(owner, group)
  }

  queues(): ReadonlySet<string> {
    return new Set([...this.#byId.values()].map(({ settings }) => settings.queue))
  }
}
