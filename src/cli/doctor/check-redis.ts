import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRedisAddress } from '../../redis/redis-address.ts'
import { type Finding, fail, reasonOf, warn } from './finding.ts'
import { judgeRedis } from './judge-redis.ts'
import { readRedisFacts } from './redis-facts.ts'
import type { DoctorSettings } from './settings.ts'

const name = 'Redis'

/** The server that REDIS_URL names, else the embedded one of DATA_DIR, which runs while Gancho does. */
export async function checkRedis({ redisUrl, dataDir }: DoctorSettings): Promise<Finding[]> {
  if (redisUrl) return look(redisUrl, unreachable)
  const embedded = embeddedUrl(dataDir)
  const notStarted = warn(
    name,
    `the embedded one of ${dataDir} does not run`,
    'it runs while "npm start" does',
  )
  return embedded ? look(embedded, () => notStarted) : [notStarted]
}

async function look(url: string, otherwise: (url: string, error: unknown) => Finding): Promise<Finding[]> {
  try {
    return (await readRedisFacts(url)).flatMap(judgeRedis)
  } catch (error) {
    return [otherwise(url, error)]
  }
}

function unreachable(url: string, error: unknown): Finding {
  const reason = (error as { message?: string }).message ?? ''
  const where = placesIn(url)
  if (/NOAUTH|WRONGPASS|NOPERM/.test(reason))
    return fail(name, `${where} refuses the account`, 'put user and password into REDIS_URL')
  return fail(name, `${where} cannot be reached (${reasonOf(error)})`, 'start it, or correct REDIS_URL')
}

/** The addresses in it, without the password. */
function placesIn(url: string): string {
  try {
    const address = parseRedisAddress(url)
    if (address.kind === 'server') return new URL(url).host
    const places = address.kind === 'cluster' ? address.nodes : address.sentinels
    return places.map(({ host, port }) => `${host}:${port}`).join(', ')
  } catch {
    return 'REDIS_URL'
  }
}

/** As src/redis/server-files.ts keeps it. */
function embeddedUrl(dataDir: string): string | undefined {
  try {
    const { port, password } = JSON.parse(readFileSync(join(dataDir, 'redis', 'access.json'), 'utf8'))
    return `redis://:${password}@127.0.0.1:${port}`
  } catch {
    // Nothing was started here yet.
    return undefined
  }
}
