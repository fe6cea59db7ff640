import { type Answered, type clientOf, isWithoutRedis } from './client.ts'

export type Load = {
  /** Ids of the jobs that were answered 202. */
  accepted: Set<string>
  /** Every other answer, and after how many milliseconds it came. */
  refused: { answered: Answered; ms: number }[]
  /** Requests that got no answer. */
  unanswered: unknown[]
  /** Resolves when the requests under way are over. */
  stop(): Promise<void>
}

/** So long a gateway waits for Redis, and then for a moment has no connection, without which it refuses at once. */
const redisTimeoutMs = 1_400

/**
 * Refusals but for those of a busy machine, which has Redis slower than a gateway waits for it. Whether such an event was accepted nobody
 * was told.
 */
export function refusalsWithRedis({ refused }: Pick<Load, 'refused'>): Load['refused'] {
  const isRedisSlow = refused.some(({ answered, ms }) => isWithoutRedis(answered) && ms >= redisTimeoutMs)
  return refused.filter(({ answered }) => !isRedisSlow || !isWithoutRedis(answered))
}

/** Posts events without a pause from many senders until told to stop. A sender that gets no answer at all stops by itself. */
export function startLoad({ post }: Pick<ReturnType<typeof clientOf>, 'post'>, senders: number): Load {
  const accepted = new Set<string>()
  const refused: Load['refused'] = []
  const unanswered: unknown[] = []
  let stopping = false
  const postOne = async (sender: number) => {
    const since = performance.now()
    const answered = await post({ sender })
    if (answered.status === 202) accepted.add(answered.body.id as string)
    else refused.push({ answered, ms: performance.now() - since })
  }
  const send = async (sender: number) => {
    try {
      while (!stopping) await postOne(sender)
    } catch (error) {
      unanswered.push(error)
    }
  }
  const running = Promise.all(Array.from({ length: senders }, (_, sender) => send(sender)))
  const stop = async () => {
    stopping = true
    await running
  }
  return { accepted, refused, unanswered, stop }
}
