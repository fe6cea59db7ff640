import { RedisPubSub } from 'graphql-redis-subscriptions'
import type { Redis } from 'ioredis'
import type { PubSub } from './pub-sub.ts'

type Connections = {
  /** Bounded by a `commandTimeout`, which limits how long `publish` takes while Redis is away. */
  publisher: Redis
  /** A connection of its own: a subscribed one can do nothing else. ioredis subscribes it anew after a reconnect. */
  subscriber: Redis
}

/** Over Redis' plain pub/sub, by graphql-redis-subscriptions. The connections stay the caller's. */
export function redisPubSub({ publisher, subscriber }: Connections): PubSub {
  const redis = new RedisPubSub({ publisher, subscriber })
  const reconnected = new Set<() => void>()
  const subscriptions = new Set<number>()
  let wasReady = subscriber.status === 'ready'
  const onReady = () => {
    const again = wasReady
    wasReady = true
    if (!again) return
    // Behind the subscriptions that ioredis makes anew on the same connection: with the answer, they hear again.
    const tell = () => {
      for (const listener of reconnected) listener()
    }
    subscriber.ping().then(tell, () => undefined)
  }
  subscriber.on('ready', onReady)
  const unsubscribe = (id: number) => {
    if (!subscriptions.delete(id)) return
    // The library sends UNSUBSCRIBE without waiting for its answer, which fails when the connection is closed for good.
    if (subscriber.status !== 'end') redis.unsubscribe(id)
  }
  return {
    throughRedis: true,
    publish: (topic, message) => redis.publish(topic, message),
    async subscribe(topic, listener) {
      const id = await redis.subscribe(topic, listener)
      subscriptions.add(id)
      return () => unsubscribe(id)
    },
    onReconnect(listener) {
      reconnected.add(listener)
      return () => reconnected.delete(listener)
    },
    async close() {
      subscriber.off('ready', onReady)
      reconnected.clear()
      for (const id of [...subscriptions]) unsubscribe(id)
    },
  }
}
