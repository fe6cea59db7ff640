/**
 * Carries messages between instances, at most once: one that is published while a subscriber's connection is down is lost to it, and
 * nobody is told. Whoever uses it has a slower way to the same end, and goes it `onReconnect`. Messages are JSON values.
 */
export type PubSub = {
  /** Whether topics are channels of Gancho's own Redis and messages their JSON, so that its scripts may publish, too. */
  throughRedis: boolean
  /** Resolves when the message is on its way. @throws when it certainly is not */
  publish(topic: string, message: unknown): Promise<void>
  /**
   * Resolves when every message that is published from here on is heard, with a function that ends it. The listener gets messages of one
   * publisher in their order, and is not to throw.
   */
  subscribe(topic: string, listener: (message: unknown) => void): Promise<() => void>
  /** Calls the listener when messages may have been lost, once they are heard again. @returns a function that ends it */
  onReconnect(listener: () => void): () => void
  /** Ends every subscription. What it was made from stays open. */
  close(): Promise<void>
}
