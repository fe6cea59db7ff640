import type { Logger } from 'pino'
import type { AwaitedReplies } from './awaited-replies.ts'
import type { CallFailure, Reply } from './awaited-reply.ts'
import type { ReplyNotices } from './reply-notices.ts'
import type { Waiters } from './waiters.ts'

/** What a caller waits for. `lost`: the record is gone, with its Redis. */
export type Outcome =
  | { kind: 'reply'; reply: Reply }
  | { kind: 'call-failed'; failure: CallFailure }
  | { kind: 'lost' }

/** Hands what is known of an awaited reply to the callers who wait for it, here and on other instances. */
export type ReplyDesk = {
  /** For what has just been recorded. `reply`: the reply itself where it is at hand, else it is read from the record. Never throws. */
  announce(at: { cnpj: string; id: string }, owners: readonly string[], reply: Reply | null): Promise<void>
  /** For what the accept script has told the others. `untold`: why it could not. */
  settle(id: string, reply: Reply, untold: string | undefined): void
  /** For what may have an end: reads it, and settles the callers of this instance. */
  look(id: string): Promise<void>
}

type Deps = {
  awaited: Pick<AwaitedReplies, 'read'>
  waiters: Waiters<Outcome>
  notices: ReplyNotices
  owner: string
  log: Pick<Logger, 'warn'>
}

const unheard = 'other instances were not told of a reply; they find it when they look'

export function createReplyDesk({ awaited, waiters, notices, owner, log }: Deps): ReplyDesk {
  const look = async (id: string) => {
    if (!waiters.has(id)) return
    const outcome = outcomeOf(await awaited.read(id))
    if (outcome) waiters.settle(id, outcome)
  }
  const tell = async ({ cnpj, id }: { cnpj: string; id: string }, others: string[], reply: Reply | null) => {
    try {
      await Promise.all([
        others.length > 0 ? notices.tell(others, { id, reply }) : undefined,
        notices.changed(cnpj, id),
      ])
    } catch (err) {
      log.warn({ err, awaitId: id }, unheard)
    }
  }
  return {
    look,
    settle(id, reply, untold) {
      waiters.settle(id, { kind: 'reply', reply })
      if (untold !== undefined) log.warn({ awaitId: id, why: untold }, unheard)
    },
    async announce(at, owners, reply) {
      const { id } = at
      if (reply) waiters.settle(id, { kind: 'reply', reply })
      else await look(id).catch((err) => log.warn({ err, awaitId: id }, 'a reply could not be read yet'))
      const others = owners.filter((one) => one !== owner)
      await tell(at, others, reply)
    },
  }
}

/** Undefined while nothing is known yet. */
export function outcomeOf(found: Awaited<ReturnType<AwaitedReplies['read']>>): Outcome | undefined {
  if (!found) return { kind: 'lost' }
  if (found.reply) return { kind: 'reply', reply: found.reply }
  return found.failure ? { kind: 'call-failed', failure: found.failure } : undefined
}
