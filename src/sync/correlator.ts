import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Intake } from '../events/intake.ts'
import { keys } from '../redis/keys.ts'
import { repeat } from '../redis/repeat.ts'
import { untilAnswered } from '../redis/until-answered.ts'
import { type AwaitedReplies, createAwaitedReplies } from './awaited-replies.ts'
import { type AwaitedReplyUpdates, awaitedReplyUpdates } from './awaited-reply-updates.ts'
import { type CallAndAwait, createCallAndAwait } from './call-and-await.ts'
import { type Capabilities, capabilities } from './capability.ts'
import type { PubSub } from './pub-sub.ts'
import { createReplyDesk, type Outcome } from './reply-desk.ts'
import { replyIntake } from './reply-intake.ts'
import { replyNotices } from './reply-notices.ts'
import type { Upstreams } from './upstream/upstream.ts'
import { createCallUpstream } from './upstream-call.ts'
import { createWaiters } from './waiters.ts'

type Options = {
  redis: Redis
  pubSub: PubSub
  upstreams: Upstreams
  /** Name of this instance, unique among processes, without blanks. */
  owner: string
  /** For callback URLs, the newest first. */
  secrets: readonly string[]
  publicUrl: () => string
  ttlMs: number
  maxWaiters: number
  log: Logger
  /** How often open waits are looked after, for messages that were lost. */
  pollMs?: number
  /** How often those who follow an awaited reply look at it, for the same. */
  lookEveryMs?: number
}

/** Makes a call and the webhook that answers it find each other, whichever instance either of them reaches. */
export type Correlator = {
  callAndAwait: CallAndAwait
  awaited: Pick<AwaitedReplies, 'read' | 'findByKey' | 'waiting' | 'strays'>
  updates: AwaitedReplyUpdates
  capabilities: Pick<Capabilities, 'open'>
  upstreams: Upstreams
  /** The intake in which events answer calls. */
  intakeOf(intake: Intake): Intake
  /** Callers who wait in this process. */
  waiting(): number
  /** Answers every caller who waits as pending, and takes no new ones. */
  stopWaiting(): void
  /** Resolves when the upstream calls under way are recorded. */
  idle(): Promise<void>
  close(): Promise<void>
}

const defaultPollMs = 2_000
/** After which silence an instance counts as gone, and with it the calls that it had begun. */
const goneAfterMs = 4_000
/** Redis serves nobody else meanwhile. */
const idsPerPoll = 500

/** Opens it; resolves when it hears of replies. */
export async function createCorrelator(options: Options): Promise<Correlator> {
  const { redis, pubSub, upstreams, owner, log, ttlMs, pollMs = defaultPollMs } = options
  let stopping = false
  const awaited = createAwaitedReplies({ redis, owner, ttlMs })
  const waiters = createWaiters<Outcome>()
  const notices = replyNotices(pubSub)
  const desk = createReplyDesk({ awaited, waiters, notices, owner, log })
  const sealing = capabilities(options.secrets)
  const call = createCallUpstream({ awaited, desk, capabilities: sealing, publicUrl: options.publicUrl, log })
  const { maxWaiters } = options
  const isStopping = () => stopping
  const callAndAwait = createCallAndAwait({
    ...{ upstreams, awaited, waiters, desk, call, owner, maxWaiters, isStopping, log },
  })
  const { lookEveryMs } = options
  const updates = awaitedReplyUpdates({ pubSub, awaited, ...(lookEveryMs !== undefined && { lookEveryMs }) })

  const live = () => redis.set(keys.awaitOwner(owner), '1', 'PX', goneAfterMs)
  const look = async () => {
    const ids = waiters.ids()
    for (let from = 0; from < ids.length; from += idsPerPoll) {
      const ended = await awaited.ended(ids.slice(from, from + idsPerPoll))
      await Promise.all(ended.map(desk.look))
    }
  }
  const poll = repeat({
    name: 'awaited replies',
    ...{ log, everyMs: pollMs },
    turn: look,
  })
  const heart = repeat({
    name: 'sign of life',
    ...{ log, everyMs: goneAfterMs / 4 },
    turn: live,
  })
  const ends = upstreams.all().length === 0 ? [] : [await listen()]
  async function listen() {
    await untilAnswered(live, log)
    const stopListening = await notices.listen(owner, ({ id, reply }) => {
      if (reply) waiters.settle(id, { kind: 'reply', reply })
      else desk.look(id).catch((err) => log.warn({ err, awaitId: id }, 'a reply could not be read yet'))
    })
    const stopReconnect = pubSub.onReconnect(() => {
      look().catch((err) => log.warn({ err }, 'open waits could not be looked after yet'))
    })
    poll.start()
    heart.start()
    return async () => {
      stopListening()
      stopReconnect()
      await Promise.all([poll.stop(), heart.stop()])
      await redis.del(keys.awaitOwner(owner)).catch(() => undefined)
    }
  }
  return {
    ...{ callAndAwait, awaited, updates, upstreams, capabilities: sealing },
    intakeOf: (intake) =>
      replyIntake({ intake, upstreams, desk, toldBy: pubSub.throughRedis ? owner : undefined }),
    waiting: waiters.count,
    stopWaiting() {
      stopping = true
      waiters.stop()
    },
    idle: call.idle,
    async close() {
      stopping = true
      waiters.stop()
      await updates.close()
      for (const end of ends) await end()
    },
  }
}
