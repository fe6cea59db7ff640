import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { channels } from '../redis/keys.ts'

export type TenantInvalidationDeps = {
  /** Bounded by a `commandTimeout`, which limits how long `publish` takes while Redis is away. */
  publisher: Pick<Redis, 'publish'>
  /** A connection of its own: a subscribed one can do nothing else. */
  subscriber: Redis
  /** What of a tenant it is about; the tenant itself unless given. */
  channel?: (typeof channels)['tenantChanged' | 'destinationsChanged']
  /** Told the CNPJ whose tenant has changed, or `*` when messages may have been lost. */
  onInvalidate: (cnpj: string) => void
  log: Pick<Logger, 'warn'>
}

export type TenantInvalidation = {
  /** Tells every instance, this one too. Never throws: whoever misses it reads the tenant again within the cache's TTL. */
  publish(cnpj: string): Promise<void>
  /** Stops listening; the connections stay the caller's. */
  close(): void
}

/**
 * Listens for changed tenants. Messages are lost while the connection is down, so each new subscription starts with `*`, also the
 * first one.
 */
export function tenantInvalidation(deps: TenantInvalidationDeps): TenantInvalidation {
  const { publisher, subscriber, channel = channels.tenantChanged, onInvalidate, log } = deps

  const onMessage = (from: string, cnpj: string) => {
    if (from === channel) onInvalidate(cnpj)
  }
  const subscribe = () =>
    subscriber.subscribe(channel).then(
      () => onInvalidate('*'),
      // The next `ready` tries again.
      (error: unknown) => log.warn({ err: error, channel }, 'cannot listen for what other instances change'),
    )
  subscriber.on('message', onMessage)
  subscriber.on('ready', subscribe)
  if (subscriber.status === 'ready') void subscribe()

  return {
    async publish(cnpj) {
      try {
        await publisher.publish(channel, cnpj)
      } catch (error) {
        log.warn(
          { err: error, cnpj, channel },
          'other instances were not told of a change; they notice when their cache expires',
        )
      }
    },
    close() {
      subscriber.off('message', onMessage)
      subscriber.off('ready', subscribe)
    },
  }
}
