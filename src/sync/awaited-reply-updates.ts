import { channels } from '../redis/keys.ts'
import type { AwaitedReplies } from './awaited-replies.ts'
import type { AwaitedReply } from './awaited-reply.ts'
import type { PubSub } from './pub-sub.ts'

export type AwaitedReplyUpdates = {
  /**
   * One awaited reply as it is now, and again whenever it changes; ends after its reply, or when its record is gone. What is not
   * taken in time is told once, in its newest state. A lost message is made up for by a look every few seconds.
   */
  of(at: { cnpj: string; id: string }): AsyncGenerator<AwaitedReply, void, undefined>
  close(): Promise<void>
}

type Deps = { pubSub: PubSub; awaited: Pick<AwaitedReplies, 'read'>; lookEveryMs?: number }

type Topic = { wakes: Map<string, Set<() => void>>; unsubscribe: Promise<() => void> }

const defaultLookMs = 5_000

/** One subscription for each tenant that is looked at, however many look. */
export function awaitedReplyUpdates({
  pubSub,
  awaited,
  lookEveryMs = defaultLookMs,
}: Deps): AwaitedReplyUpdates {
  const topics = new Map<string, Topic>()
  let closed = false

  const topicOf = (cnpj: string): Topic => {
    const known = topics.get(cnpj)
    if (known) return known
    const wakes: Topic['wakes'] = new Map()
    const unsubscribe = pubSub.subscribe(channels.awaitedReplies(cnpj), (id) => {
      for (const wake of wakes.get(String(id)) ?? []) wake()
    })
    const topic = { wakes, unsubscribe }
    topics.set(cnpj, topic)
    // The next one tries again.
    unsubscribe.catch(() => topics.delete(cnpj))
    return topic
  }
  const listen = async (cnpj: string, id: string, wake: () => void) => {
    const { wakes, unsubscribe } = topicOf(cnpj)
    const ofId = wakes.get(id) ?? new Set()
    wakes.set(id, ofId.add(wake))
    await unsubscribe
    return async () => {
      ofId.delete(wake)
      if (ofId.size === 0 && wakes.get(id) === ofId) wakes.delete(id)
      if (wakes.size > 0 || !topics.delete(cnpj)) return
      const end = await unsubscribe
      end()
    }
  }

  async function* of({ cnpj, id }: { cnpj: string; id: string }) {
    const bell = createBell(lookEveryMs)
    let stop: () => Promise<void> = async () => undefined
    try {
      stop = await listen(cnpj, id, bell.ring)
      let told = ''
      while (!closed) {
        const now = await awaited.read(id)
        if (now?.cnpj !== cnpj) return
        const state = JSON.stringify([now.status, now.duplicates, now.externalId])
        if (state !== told) yield now
        told = state
        if (now.reply) return
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
