import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { serverInfo } from './server-info.ts'

/** This Redis cannot carry Gancho; the message is for the person who starts it. */
export class UnfitServerError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UnfitServerError'
  }
}

/** Major and minor version that Gancho needs: XAUTOCLAIM is of 6.2. */
export const oldestServer = [6, 2] as const

/** Whether a server of this version, such as 7.0.15, is too old. */
export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < oldestServer[0] || (major === oldestServer[0] && minor < oldestServer[1])
}

/**
 * Looks at a server once, at start: warns loudly of settings with which accepted events can be lost. `clustered`: whether it is to be
 * a node of a Cluster.
 * @throws UnfitServerError when it is too old, or a node of a Cluster although it should not be
 */
export async function checkServer(redis: Redis, log: Logger, { clustered = false } = {}): Promise<void> {
  const info = await serverInfo(redis, 'all')
  const version = info.get('redis_version') ?? '0'
  if (isTooOld(version)) {
    throw new UnfitServerError(
      `Redis ${version} is too old: Gancho needs ${oldestServer.join('.')} or newer.`,
    )
  }
  if (info.get('cluster_enabled') === '1' && !clustered) {
    throw new UnfitServerError(
      'REDIS_URL names one node of a Redis Cluster: name several, separated by commas, such as redis://a:6379,b:6379,c:6379.',
    )
  }
  if (info.get('aof_enabled') === '0') {
    log.error(
      'Redis writes no append-only file, so a crash of it loses accepted events: set appendonly to yes',
    )
  }
  if (info.get('maxmemory') === '0') {
    log.warn(
      'Redis has no maxmemory, so intake cannot refuse events before its memory is full: set maxmemory',
    )
  }
  const policy = info.get('maxmemory_policy')
  if (policy !== 'noeviction') {
    log.error({ policy }, 'Redis may evict keys, which loses jobs: set maxmemory-policy to noeviction')
  }
}
