/** Who asks for something: one of an owner's groups. Each is known by identity. */
export type Asker = { owner: unknown; group: unknown }

/** Items wait in turns: owners take turns, the groups of an owner take turns, and a group's items stay in their order. */
export class FairQueue<Item> {
  readonly #owners = new Map<unknown, Map<unknown, Item[]>>()

  push({ owner, group }: Asker, item: Item): void {
    const groups = entryOf(this.#owners, owner, () => new Map<unknown, Item[]>())
    entryOf(groups, group, () => []).push(item)
  }

  /** Takes the next one out; undefined when none waits. */
  shift(): Item | undefined {
    const [owner] = this.#owners
    if (!owner) return undefined
    const [group] = owner[1]
    const item = group?.[1].shift()
    if (group) toTheEnd(owner[1], group, group[1].length === 0)
    toTheEnd(this.#owners, owner, owner[1].size === 0)
    return item
  }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key) ?? make()
  return map.set(key, found) && found
}

/** Whoever had its turn is the last in the order of the map, and gone when nothing of it is left. */
function toTheEnd<Key, Value>(map: Map<Key, Value>, [key, value]: [Key, Value], isEmpty: boolean): void {
  map.delete(key)
  if (!isEmpty) map.set(key, value)
}
