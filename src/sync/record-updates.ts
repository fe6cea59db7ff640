import type { PubSub } from './pub-sub.ts'

/** What is told of on the channel of `topic` by its id. */
export type RecordAt = { topic: string; id: string }

export type RecordUpdates<Value> = {
  /**
   * One record as it is now, and again whenever it changes; ends after its last state, or when it is gone. What is not taken in time is
   * told once, in its newest state. A lost message is made up for by a look every few seconds.
   */
  of(at: RecordAt): AsyncGenerator<Value, void, undefined>
  close(): Promise<void>
}

type Deps<Value> = {
  pubSub: PubSub
  /** Messages of this channel are the ids of records that have changed. */
  channelOf: (topic: string) => string
  /** Null when there is none, or none that belongs to this topic. */
  read: (at: RecordAt) => Promise<Value | null>
  /** What has to differ for a change to be told. */
  stateOf: (value: Value) => string
  isLast: (value: Value) => boolean
  lookEveryMs?: number
}

type Topic = { wakes: Map<string, Set<() => void>>; unsubscribe: Promise<() => void> }

const defaultLookMs = 5_000

/** One subscription for each topic that is looked at, however many look. */
export function recordUpdates<Value>(deps: Deps<Value>): RecordUpdates<Value> {
  const { pubSub, channelOf, read, stateOf, isLast, lookEveryMs = defaultLookMs } = deps
  const topics = new Map<string, Topic>()
  let closed = false

  const topicOf = (name: string): Topic => {
    const known = topics.get(name)
    if (known) return known
    const wakes: Topic['wakes'] = new Map()
    const unsubscribe = pubSub.subscribe(channelOf(name), (id) => {
      for (const wake of wakes.get(String(id)) ?? []) wake()
    })
    const topic = { wakes, unsubscribe }
    topics.set(name, topic)
    // The next one tries again.
    unsubscribe.catch(() => topics.delete(name))
    return topic
  }
  const listen = async ({ topic: name, id }: RecordAt, wake: () => void) => {
    const { wakes, unsubscribe } = topicOf(name)
    const ofId = wakes.get(id) ?? new Set()
    wakes.set(id, ofId.add(wake))
    await unsubscribe
    return async () => {
      ofId.delete(wake)
      if (ofId.size === 0 && wakes.get(id) === ofId) wakes.delete(id)
      if (wakes.size > 0 || !topics.delete(name)) return
      const end = await unsubscribe
      end()
    }
  }

  async function* of(at: RecordAt) {
    const bell = createBell(lookEveryMs)
    let stop: () => Promise<void> = async () => undefined
    try {
      stop = await listen(at, bell.ring)
      let told = ''
      while (!closed) {
        const now = await read(at)
        if (now === null) return
        const state = stateOf(now)
        if (state !== told) yield now
        told = state
        if (isLast(now)) return
        await bell.rung()
      }
    } finally {
      bell.close()
      await stop()
    }
  }
  return {
    of,
    async close() {
      closed = true
      for (const { wakes } of topics.values())
        for (const ofId of wakes.values()) for (const wake of ofId) wake()
    },
  }
}

/** Remembers one ring, and rings by itself every `everyMs`. */
function createBell(everyMs: number) {
  let rung = false
  let wake: (() => void) | undefined
  const ring = () => {
    rung = true
    wake?.()
  }
  const timer = setInterval(ring, everyMs).unref()
  return {
    ring,
    async rung() {
      if (!rung)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      wake = undefined
      rung = false
    },
    close: () => clearInterval(timer),
  }
}
