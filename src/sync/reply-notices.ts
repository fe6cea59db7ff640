import { mostToldBytes } from '../events/reply-candidate.ts'
import { channels } from '../redis/keys.ts'
import type { Reply } from './awaited-reply.ts'
import type { PubSub } from './pub-sub.ts'

/** Tells an instance that a reply, or a failed call, is there; with the reply itself when that is small. */
export type ReplyNotice = { id: string; reply: Reply | null }

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

/** `body`: base64. `text`: as the accept script tells it, where '' stands for no content type and 0 for no job. */
type Told = Omit<Reply, 'body'> & ({ body: string } | { text: string })
type Message = { id: string; reply: Told | null }

function packed({ id, reply }: ReplyNotice): Message {
  if (!reply || reply.body.length > mostToldBytes) return { id, reply: null }
  return { id, reply: { ...reply, body: reply.body.toString('base64') } }
}

function unpacked({ id, reply }: Message): ReplyNotice {
  if (!reply) return { id, reply }
  const { contentType, n, failed, repliedAt } = reply
  const body = 'text' in reply ? Buffer.from(reply.text) : Buffer.from(reply.body, 'base64')
  return { id, reply: { body, contentType: contentType || null, n: Number(n) || null, failed, repliedAt } }
}
