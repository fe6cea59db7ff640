import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { keys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { jobId } from './job.ts'
import { isQueueName, type Lanes } from './lanes.ts'
import type { Transitions } from './transitions.ts'

export type Dispatcher = {
  start(): void
  /** Resolves when the batch in hand is dispatched; what is not read yet stays in the inbox. */
  stop(): Promise<void>
}

type Deps = {
  /** A connection of its own: it blocks. */
  reader: Redis
  /** For everything else. */
  redis: Redis
  transitions: Transitions
  lanes: Lanes
  /** Whether Redis has memory for many more scheduled jobs; while not, they stay in the inbox, where they are small. */
  hasRoom: () => Promise<boolean>
  log: Logger
  /** Name of this consumer, unique among processes. */
  consumer: string
  /** Age at which an entry that another consumer read, but did not dispatch, is taken over. */
  claimAfterMs: number
}

type Entry = [id: string, fields: string[]]

const group = 'dispatchers'
const batchSize = 500
const crampedBatchSize = 10
const blockMs = 1_000
/** Pause after a batch: what comes meanwhile goes together, and wakes nobody while its sender waits for the answer. */
const gatherMs = 5
const crampedPauseMs = 100
const troublePauseMs = 500

/**
 * Moves accepted jobs from the inbox into their BullMQ queues. The record goes to QUEUED first; a crash before the entry is
 * acknowledged makes another consumer claim it, and BullMQ ignores what it holds already.
 */
export function createDispatcher(deps: Deps): Dispatcher {
  const { reader, redis, transitions, lanes, log, consumer } = deps
  const takeOff = loadScript(redis, 'dispatched')
  let stopping = false
  let running: Promise<void> = Promise.resolve()
  let claimedAt = 0
  let troubled = false

  const dispatch = async (entries: readonly Entry[]) => {
    if (entries.length === 0) return
    const ns = entries.map(([id]) => Number.parseInt(id, 10))
    const answers = await transitions.enqueue(ns)
    const added = answers.flatMap((answer) => (answer.kind === 'add' ? [answer.entry] : []))
    const [possible, impossible] = split(added, ({ queue }) => isQueueName(queue))
    await lanes.add(possible)
    // They stay in the inbox, and no other entry waits for them.
    for (const { n, queue } of impossible) log.error({ job: jobId(n), queue }, 'no queue can have this name')
    const left = new Set(impossible.map(({ n }) => n))
    const ids = entries.map(([id]) => id).filter((_, i) => !left.has(ns[i] ?? 0))
    if (ids.length === 0) return
    await takeOff([keys.inbox], [group, ...ids])
  }

  const claim = async () => {
    if (Date.now() - claimedAt < deps.claimAfterMs) return
    claimedAt = Date.now()
    const [, entries] = (await redis.xautoclaim(
      ...([keys.inbox, group, consumer, deps.claimAfterMs, '0-0', 'COUNT', batchSize] as const),
    )) as [string, Entry[]]
    // Redis 6.2 names entries that are deleted already, as null.
    await dispatch(entries.filter((entry) => entry?.[1]))
  }

  const read = async (count: number): Promise<Entry[]> => {
    const options = ['COUNT', count, 'BLOCK', blockMs, 'STREAMS', keys.inbox, '>'] as const
    const streams = (await reader.xreadgroup('GROUP', group, consumer, ...options)) as
      | [string, Entry[]][]
      | null
    return streams?.[0]?.[1] ?? []
  }

  const turn = async () => {
    await claim()
    const hasRoom = await deps.hasRoom()
    const entries = await read(hasRoom ? batchSize : crampedBatchSize)
    await dispatch(entries)
    // A few always follow, because only deliveries make room.
    if (!hasRoom) await sleep(crampedPauseMs)
    else if (entries.length > 0 && entries.length < batchSize) await sleep(gatherMs)
    if (troubled) log.info('dispatching again')
    troubled = false
  }

  /** Says so once, and waits a little. */
  const pause = async (error: Error) => {
    if (stopping) return
    if (!troubled) log.error({ err: error }, 'cannot dispatch, trying again')
    troubled = true
    await sleep(troublePauseMs)
  }

  /** After an error: makes the group anew where Redis lost it. */
  const recover = (error: Error) =>
    error.message.startsWith('NOGROUP') ? createGroup(redis).catch(pause) : pause(error)

  const loop = async () => {
    await createGroup(redis).catch(pause)
    while (!stopping) await turn().catch(recover)
  }

  return {
    start() {
      running = loop()
    },
    async stop() {
      stopping = true
      await running
      await leaveGroup(redis, consumer).catch(() => undefined)
    },
  }
}

function split<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  const groups = Map.groupBy(items, isFirst)
  return [groups.get(true) ?? [], groups.get(false) ?? []]
}

/** Only with empty hands: Redis forgets what a deleted consumer had read, and nobody could claim it. */
async function leaveGroup(redis: Redis, consumer: string): Promise<void> {
  const pending = (await redis.xpending(keys.inbox, group, '-', '+', 1, consumer)) as unknown[]
  if (pending.length === 0) await redis.xgroup('DELCONSUMER', keys.inbox, group, consumer)
}

/** From `0`, so that a group made anew finds everything that waits. */
async function createGroup(redis: Redis): Promise<void> {
  try {
    await redis.xgroup('CREATE', keys.inbox, group, '0', 'MKSTREAM')
  } catch (error) {
    if (!(error as Error).message.startsWith('BUSYGROUP')) throw error
  }
}
