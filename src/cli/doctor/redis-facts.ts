import type { Redis } from 'ioredis'
import { openClusterMap } from '../../redis/cluster-map.ts'
import { masterConnector } from '../../redis/master-connector.ts'
import { type ClusterAddress, parseRedisAddress, type RedisAddress } from '../../redis/redis-address.ts'
import { redisClient } from '../../redis/redis-client.ts'
import { openSentinelMap } from '../../redis/sentinel-map.ts'
import { serverInfo } from '../../redis/server-info.ts'

/** What a Redis server says of itself, and what is measured from here. */
export type RedisFacts = {
  /** Its host and port, where it is one of a Cluster that REDIS_URL names. */
  node?: string | undefined
  info: ReadonlyMap<string, string>
  /** undefined where the account may not ask. */
  appendfsync: string | undefined
  /** Of a round trip, the median of several. */
  latencyMs: number
  /** By how much its clock is ahead of this machine's. */
  clockAheadMs: number
}

const timeoutMs = 3_000
const roundTrips = 20

/**
 * Of each server that holds data: of a Cluster all masters, else the one.
 * @throws Error when none can be reached or it refuses the account, within a few seconds
 */
export async function readRedisFacts(url: string): Promise<RedisFacts[]> {
  const address = parseRedisAddress(url)
  return address.kind === 'cluster' ? factsOfCluster(address) : [await factsOfServer(address)]
}

async function factsOfCluster(address: ClusterAddress): Promise<RedisFacts[]> {
  const map = await openClusterMap({ address, log: { warn: () => undefined }, withinMs: timeoutMs })
  try {
    const masters = await map.masters()
    return await Promise.all(
      masters.map((redis) => factsOf(redis, `${redis.options.host}:${redis.options.port}`)),
    )
  } finally {
    map.close()
  }
}

async function factsOfServer(address: RedisAddress): Promise<RedisFacts> {
  const map = address.kind === 'sentinel' ? openSentinelMap(address) : undefined
  const redis = redisClient(address, {
    ...{ lazyConnect: true, connectTimeout: timeoutMs, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 },
    ...(map && { Connector: masterConnector(map, '') }),
    retryStrategy: () => null,
    connectionName: 'gancho-doctor',
  })
  // ioredis rejects the calls with "Connection is closed", and tells the cause here alone.
  let cause: Error | undefined
  redis.on('error', (error: Error) => {
    cause = error
  })
  try {
    await redis.connect()
    return await factsOf(redis)
  } catch (error) {
    throw cause ?? error
  } finally {
    redis.disconnect()
    map?.close()
  }
}

async function factsOf(redis: Redis, node?: string): Promise<RedisFacts> {
  const info = await serverInfo(redis, 'all')
  const appendfsync = await settingOf(redis, 'appendfsync')
  return { node, info, appendfsync, latencyMs: await latency(redis), clockAheadMs: await clockAhead(redis) }
}

/** Managed servers may keep their settings to themselves. */
async function settingOf(redis: Redis, name: string): Promise<string | undefined> {
  const [, value] = await redis.config('GET', name).then(
    (answer) => answer as string[],
    () => [],
  )
  return value
}

async function latency(redis: Redis): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < roundTrips; i++) {
    const since = performance.now()
    await redis.ping()
    times.push(performance.now() - since)
  }
  return times.toSorted((a, b) => a - b)[roundTrips / 2] ?? 0
}

async function clockAhead(redis: Redis): Promise<number> {
  const before = Date.now()
  const [seconds, microseconds] = await redis.time()
  const here = (before + Date.now()) / 2
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000 - here
}
