import { Redis } from 'ioredis'
import { serverInfo } from '../../redis/server-info.ts'

/** What a Redis server says of itself, and what is measured from here. */
export type RedisFacts = {
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

/** @throws Error when it cannot be reached or refuses the account, within a few seconds */
export async function readRedisFacts(url: string): Promise<RedisFacts> {
  const redis = new Redis(url, {
    ...{ lazyConnect: true, connectTimeout: timeoutMs, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 },
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
    const info = await serverInfo(redis, 'all')
    const appendfsync = await settingOf(redis, 'appendfsync')
    return { info, appendfsync, latencyMs: await latency(redis), clockAheadMs: await clockAhead(redis) }
  } catch (error) {
    throw cause ?? error
  } finally {
    redis.disconnect()
  }
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
