import type { Redis } from 'ioredis'

/** The lines of INFO's sections, as name and value. */
export async function serverInfo(redis: Redis, section: string): Promise<ReadonlyMap<string, string>> {
  const lines = (await redis.info(section)).split('\r\n')
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
    }),
  )
}
