import { Redis, type RedisOptions } from 'ioredis'
import type { RedisAddress } from './redis-address.ts'

/** These connections lead to where no write may be made any more: others find their way anew. The call that met it is refused. */
const movedAway = (error: Error) => /^(MOVED|READONLY|UNBLOCKED) /.test(error.message)

/** An ioredis client for this address; of a Cluster, `options` say for which node. */
export function redisClient(address: RedisAddress, options: RedisOptions): Redis {
  return address.kind === 'server'
    ? new Redis(address.url, options)
    : new Redis({ ...optionsOf(address), ...options })
}

function optionsOf(address: Exclude<RedisAddress, { kind: 'server' }>): RedisOptions {
  const { username, password, tls } = address
  const account = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    reconnectOnError: movedAway,
  }
  if (address.kind === 'cluster') return account
  const { sentinels, name, db } = address
  const secure = tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}
  return { ...account, ...secure, sentinels: [...sentinels], name, db, failoverDetector: true }
}
