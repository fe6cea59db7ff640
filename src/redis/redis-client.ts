import { Redis, type RedisOptions } from 'ioredis'
import type { HostAndPort, RedisAddress, SentinelAddress } from './redis-address.ts'

/** These connections lead to where no write may be made any more: others find their way anew. The call that met it is refused. */
const movedAway = (error: Error) => /^(MOVED|READONLY|UNBLOCKED) /.test(error.message)

/** A server, or a Sentinel, that says nothing for so long is done without while others are asked. */
const answerMs = 1_000
const tryAgainMs = 200

/** An ioredis client for this address; of a Cluster or a Sentinel set, `options` say for which server. */
export function redisClient(address: RedisAddress, options: RedisOptions): Redis {
  if (address.kind === 'server') return new Redis(address.url, options)
  const { username, password, tls } = address
  return new Redis({
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    ...(address.kind === 'sentinel' && { db: address.db }),
    reconnectOnError: movedAway,
    ...options,
  })
}

/** For asking one of several who is who: an answer, or a refusal, is there within a second. */
export const askingOptions = ({ host, port }: HostAndPort): RedisOptions => ({
  ...{ host, port, connectionName: 'gancho-map', enableReadyCheck: false },
  ...{ connectTimeout: answerMs, commandTimeout: answerMs, maxRetriesPerRequest: 0 },
  retryStrategy: () => tryAgainMs,
})

/** A client for one of the Sentinels, which do not know the accounts of the servers. */
export function sentinelClient({ tls }: SentinelAddress, place: HostAndPort): Redis {
  const sentinel = new Redis({ ...askingOptions(place), ...(tls && { tls: {} }) })
  // Its calls are refused, which says as much.
  sentinel.on('error', () => undefined)
  return sentinel
}
