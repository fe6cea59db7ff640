import { channels } from '../redis/keys.ts'
import type { Reply } from './awaited-reply.ts'
import type { PubSub } from './pub-sub.ts'

/** Tells an instance that a reply, or a failed call, is there; with the reply itself when that is small. */
export type ReplyNotice = { id: string; reply: Reply | null }

/** Larger ones are read from their record. */
const mostBytes = 32 * 1024

export type ReplyNotices = {
  /** Tells the instances in `owners`. */
  tell(owners: readonly string[], notice: ReplyNotice): Promise<void>
  /** Calls the listener for every notice to this instance. @returns a function that ends it */
  listen(owner: string, listener: (notice: ReplyNotice) => void): Promise<() => void>
  /** Tells whoever looks at a tenant's awaited replies that this one has changed. */
  changed(cnpj: string, id: string): Promise<void>
}

export function replyNotices(pubSub: PubSub): ReplyNotices {
  return {
    async tell(owners, notice) {
      const message = packed(notice)
      await Promise.all(owners.map((owner) => pubSub.publish(channels.replies(owner), message)))
    },
    listen: (owner, listener) =>
      pubSub.subscribe(channels.replies(owner), (message) => listener(unpacked(message as Message))),
    changed: (cnpj, id) => pubSub.publish(channels.awaitedReplies(cnpj), id),
  }
}

type Message = { id: string; reply: (Omit<Reply, 'body'> & { body: string }) | null }

function packed({ id, reply }: ReplyNotice): Message {
  if (!reply || reply.body.length > mostBytes) return { id, reply: null }
  return { id, reply: { ...reply, body: reply.body.toString('base64') } }
}

function unpacked({ id, reply }: Message): ReplyNotice {
  return { id, reply: reply && { ...reply, body: Buffer.from(reply.body, 'base64') } }
}
