import type { Redis } from 'ioredis'
import type { Script } from './scripts.ts'

/**
 * A script that publishes, called so that its messages are on their way before its answer. Redis writes to its clients in the reverse of
 * the order in which it came to have something for them, so the answer goes first: where processors are few, its receiver takes Redis'
 * own and the messages wait for what it does with the answer. A PING in the same write gives the caller its place before them. Servers
 * that write in another order are asked for it in vain, and no more than that.
 */
export function messagesFirst(redis: Redis, run: Script): Script {
  return async (keys, args) => {
    redis.stream?.cork()
    try {
      // What befalls it befalls the call behind it, which tells.
      redis.ping().catch(() => undefined)
      return run(keys, args)
    } finally {
      redis.stream?.uncork()
    }
  }
}
