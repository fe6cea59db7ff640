import type { Redis } from 'ioredis'
import type { Logger } from 'pino'

export type MemoryGuard = { isShort(): boolean; close(): void }

type Deps = { redis: Redis; log: Logger; everyMs?: number }

/** Share of `maxmemory` beyond which nothing new is accepted: what is accepted must still be moved, retried and journaled. */
const shareLimit = 0.8

/** Watches Redis' memory against its `maxmemory`; without one, memory is never short. Warns once when an eviction policy could drop jobs. */
export async function watchMemory({ redis, log, everyMs = 1_000 }: Deps): Promise<MemoryGuard> {
  let short = false
  let warned = false
  const look = async () => {
    const info = parseInfo(await redis.info('memory'))
    const used = Number(info.get('used_memory'))
    const most = Number(info.get('maxmemory'))
    const nowShort = most > 0 && used > shareLimit * most
    if (nowShort !== short)
      log.warn({ used, most, short: nowShort }, 'Redis memory: intake refuses events while short')
    short = nowShort
    const policy = info.get('maxmemory_policy')
    if (policy === 'noeviction' || warned) return
    warned = true
    log.error({ policy }, 'Redis may evict keys, which loses jobs: set maxmemory-policy to noeviction')
  }
  const lookQuietly = () => look().catch(() => undefined) // The connection reports its own trouble.
  await lookQuietly()
  const timer = setInterval(lookQuietly, everyMs)
  timer.unref()
  return { isShort: () => short, close: () => clearInterval(timer) }
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
    }),
  )
}
