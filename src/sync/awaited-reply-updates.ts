import { channels } from '../redis/keys.ts'
import type { AwaitedReplies } from './awaited-replies.ts'
import type { AwaitedReply } from './awaited-reply.ts'
import type { PubSub } from './pub-sub.ts'
import { recordUpdates } from './record-updates.ts'

export type AwaitedReplyUpdates = {
  /** One awaited reply as it is now, and again whenever it changes, see `RecordUpdates`; ends after its reply. */
  of(at: { cnpj: string; id: string }): AsyncGenerator<AwaitedReply, void, undefined>
  close(): Promise<void>
}

type Deps = { pubSub: PubSub; awaited: Pick<AwaitedReplies, 'read'>; lookEveryMs?: number }

/** One subscription for each tenant that is looked at, however many look. */
export function awaitedReplyUpdates({ awaited, ...deps }: Deps): AwaitedReplyUpdates {
  const updates = recordUpdates<AwaitedReply>({
    ...deps,
    channelOf: channels.awaitedReplies,
    async read({ topic: cnpj, id }) {
      const found = await awaited.read(id)
      return found?.cnpj === cnpj ? found : null
    },
    stateOf: ({ status, duplicates, externalId }) => JSON.stringify([status, duplicates, externalId]),
    isLast: ({ reply }) => Boolean(reply),
  })
  return { of: ({ cnpj, id }) => updates.of({ topic: cnpj, id }), close: updates.close }
}
