import { EventEmitter } from 'node:events'
import type { PubSub } from './pub-sub.ts'

/** For one process. Messages go through JSON, as on every other way, so that nobody shares an object by chance. */
export function memoryPubSub(): PubSub {
  const topics = new EventEmitter().setMaxListeners(0)
  // EventEmitter gives the name `error` a meaning.
  const nameOf = (topic: string) => `topic:${topic}`
  return {
    throughRedis: false,
    async publish(topic, message) {
      const text = JSON.stringify(message)
      setImmediate(() => topics.emit(nameOf(topic), text))
    },
    async subscribe(topic, listener) {
      const hear = (text: string) => listener(JSON.parse(text))
      topics.on(nameOf(topic), hear)
      return () => topics.off(nameOf(topic), hear)
    },
    // Nothing is ever lost here.
    onReconnect: () => () => undefined,
    async close() {
      topics.removeAllListeners()
    },
  }
}
