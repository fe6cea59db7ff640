import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { QueueCounts, QueueOverview } from '../delivery/queue-overview.ts'
import type { Lanes } from '../events/lanes.ts'
import { keys } from '../redis/keys.ts'
import { serverInfo } from '../redis/server-info.ts'
import { sharedRun } from '../redis/shared-run.ts'

export type QueueFigures = Pick<QueueCounts, 'waiting' | 'active' | 'delayed' | 'failed' | 'paused'> & {
  name: string
  /** For how long the oldest waiting job has been ready; 0 when none waits. */
  oldestWaitingMs: number
  /** Of its destinations, those whose breaker is open. */
  openBreakers: number
}

/** What Redis holds now. Times are milliseconds. */
export type RedisFigures = {
  roundTripMs: number
  /** Used memory as a part of `maxmemory`; 0 without one. */
  memoryShare: number
  /** Jobs that wait to be given to workers: in the inbox, or kept back. */
  backlog: number
  journal: number
  /** Age of the oldest change that history does not have; 0 when it has them all. */
  projectorLagMs: number
  /** Age of the oldest change that this process' subscribers have not been given; 0 when they have them all, or there are none. */
  tailLagMs: number
  queues: QueueFigures[]
}

type Deps = {
  redis: Redis
  lanes: Pick<Lanes, 'all'>
  overview: QueueOverview
  /** Names of the queues of destinations whose breaker is open, each as often as there are such. */
  openBreakers: () => Promise<readonly string[]>
  /** Id of the last change that this process has read for its subscribers; undefined while it reads for nobody. */
  tail: () => string | undefined
  withinMs?: number
}

/**
 * Reads them, once for all who ask at once.
 * @returns null when Redis has not answered within `withinMs`, 1 s unless given.
 */
export function redisFigures({ withinMs = 1_000, ...deps }: Deps): () => Promise<RedisFigures | null> {
  return sharedRun(async () => {
    const timer = new AbortController()
    const late = sleep(withinMs, null, { signal: timer.signal }).catch(() => null)
    // Why Redis does not answer is logged by its connection.
    const figures = readFigures(deps).catch(() => null)
    return Promise.race([figures, late]).finally(() => timer.abort())
  })
}

async function readFigures(deps: Omit<Deps, 'withinMs'>): Promise<RedisFigures> {
  const { redis, lanes, overview, tail } = deps
  const start = performance.now()
  await redis.ping()
  const roundTripMs = performance.now() - start
  const broken = await deps.openBreakers()
  const figuresOf = async (name: string): Promise<QueueFigures> => {
    const { oldestWaitingAt, inPerSecond: _in, outPerSecond: _out, ...counts } = await overview.counts(name)
    const oldestWaitingMs = oldestWaitingAt === null ? 0 : Math.max(0, Date.now() - oldestWaitingAt)
    return { name, ...counts, oldestWaitingMs, openBreakers: broken.filter((queue) => queue === name).length }
  }
  const read = tail()
  const [memoryShare, backlog, journal, projectorLagMs, tailLagMs, queues] = await Promise.all([
    memoryShareOf(redis),
    backlogOf(redis),
    redis.xlen(keys.journal),
    lagBehind(redis, (await redis.get(keys.projected)) ?? '0-0'),
    read === undefined ? 0 : lagBehind(redis, read),
    Promise.all(lanes.all().map(({ name }) => figuresOf(name))),
  ])
  return { roundTripMs, memoryShare, backlog, journal, projectorLagMs, tailLagMs, queues }
}

async function memoryShareOf(redis: Redis): Promise<number> {
  const info = await serverInfo(redis, 'memory')
  const most = Number(info.get('maxmemory'))
  return most > 0 ? Number(info.get('used_memory')) / most : 0
}

/** What `MAX_BACKLOG` bounds. */
async function backlogOf(redis: Redis): Promise<number> {
  const [inbox, kept] = await Promise.all([redis.xlen(keys.inbox), redis.hvals(keys.kept)])
  return kept.reduce((sum, one) => sum + Number(one), inbox)
}

/** Age of the oldest change after this one, by Redis' clock, which the ids of the journal are of. */
async function lagBehind(redis: Redis, id: string): Promise<number> {
  const [first] = await redis.xrange(keys.journal, `(${id}`, '+', 'COUNT', 1)
  if (!first) return 0
  const [seconds, microseconds] = await redis.time()
  return Math.max(0, Number(seconds) * 1_000 + Number(microseconds) / 1_000 - Number.parseInt(first[0], 10))
}
