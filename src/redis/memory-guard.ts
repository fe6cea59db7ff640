import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { serverInfo } from './server-info.ts'

export type MemoryGuard = { isShort(): boolean; close(): void }

type Deps = { redis: Redis; log: Logger; everyMs?: number }

/** Share of `maxmemory` beyond which nothing new is accepted: what is accepted must still be moved, retried and journaled. */
const shareLimit = 0.8

/** Watches Redis' memory against its `maxmemory`; without one, memory is never short. */
export async function watchMemory({ redis, log, everyMs = 1_000 }: Deps): Promise<MemoryGuard> {
  let short = false
  const look = async () => {
    const info = await serverInfo(redis, 'memory')
    const used = Number(info.get('used_memory'))
    const most = Number(info.get('maxmemory'))
    const nowShort = most > 0 && used > shareLimit * most
    if (nowShort !== short)
      log.warn({ used, most, short: nowShort }, 'Redis memory: intake refuses events while short')
    short = nowShort
  }
  const lookQuietly = () => look().catch(() => undefined) // The connection reports its own trouble.
  await lookQuietly()
  const timer = setInterval(lookQuietly, everyMs)
  timer.unref()
  return { isShort: () => short, close: () => clearInterval(timer) }
}
