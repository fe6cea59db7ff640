import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { serverInfo } from './server-info.ts'

export type MemoryGuard = {
  /** Whether nothing new may be accepted, as last seen. */
  isShort(): boolean
  /** Whether accepted jobs may be scheduled, which needs memory that only their delivery frees. Asks Redis, unless most of it is free. */
  hasRoom(): Promise<boolean>
  close(): void
}

type Deps = { redis: Redis; log: Logger; everyMs?: number }

/** Share of `maxmemory` beyond which nothing new is accepted: what is accepted must still be scheduled, retried and journaled. */
const acceptShare = 0.8
/**
 * Share beyond which nothing more is scheduled. A job needs several times the memory of an event in the inbox, so without this the
 * backlog that intake was allowed would fill Redis on its way to delivery, and a full Redis cannot even record what was delivered.
 */
const scheduleShare = 0.9
/** Share up to which what was last seen tells enough: nobody schedules as much as is missing to `scheduleShare` before the next look. */
const amplyFreeShare = 0.5

/** Watches Redis' memory against its `maxmemory`; without one, memory is never short. */
export async function watchMemory({ redis, log, everyMs = 100 }: Deps): Promise<MemoryGuard> {
  let short = false
  let share = 1
  const look = async () => {
    const info = await serverInfo(redis, 'memory')
    const used = Number(info.get('used_memory'))
    const most = Number(info.get('maxmemory'))
    const nowShort = most > 0 && used > acceptShare * most
    if (nowShort !== short)
      log.warn({ used, most, short: nowShort }, 'Redis memory: intake refuses events while short')
    short = nowShort
    share = most > 0 ? used / most : 0
    return share
  }
  // The connection reports its own trouble. Until Redis tells again, what was seen before counts for nothing.
  const lookQuietly = () =>
    look().catch(() => {
      share = 1
    })
  await lookQuietly()
  const timer = setInterval(lookQuietly, everyMs)
  timer.unref()
  return {
    isShort: () => short,
    hasRoom: async () => share <= amplyFreeShare || (await look()) <= scheduleShare,
    close: () => clearInterval(timer),
  }
}
