import type { Redis } from 'ioredis'
import { adminsOwner, type Bulk } from '../bulk/bulk.ts'
import { createBulkRunner } from '../bulk/bulk-runner.ts'
import { type BulkService, createBulkService } from '../bulk/bulk-service.ts'
import { type BulkStore, createBulkStore } from '../bulk/bulk-store.ts'
import { createBulkWork } from '../bulk/bulk-work.ts'
import { previewTokens } from '../bulk/preview-token.ts'
import { createReprocess } from '../delivery/reprocess.ts'
import type { HistoryStore } from '../history/history-store.ts'
import { createJobReader } from '../history/job-reader.ts'
import type { Connections } from '../redis/connections.ts'
import { channels, keys } from '../redis/keys.ts'
import { createLease } from '../redis/lease.ts'
import { type RecordUpdates, recordUpdates } from '../sync/record-updates.ts'
import { redisPubSub } from '../sync/redis-pub-sub.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import { retentionMs } from './retention.ts'
import type { WorkerParts } from './worker-parts.ts'

/** What callers ask for and watch; workers do it. */
export type Bulks = {
  service: BulkService
  updates: RecordUpdates<Bulk>
  close(): Promise<void>
}

type Deps = {
  connections: Pick<Connections, 'commands' | 'dedicated'>
  history: HistoryStore
  cipher: TokenCipher
  /** How long a bulk that is over can be read. */
  keepMs: number
}

/** Running at a time, of one tenant and of all administrators together. */
const mostOfTenant = 1
const mostOfAdmins = 5

export function createBulks({ connections, history, cipher, keepMs }: Deps): Bulks {
  const store = storeOf(connections.commands, keepMs)
  const pubSub = redisPubSub({ publisher: connections.commands, subscriber: connections.dedicated('bulks') })
  const updates = recordUpdates<Bulk>({
    pubSub,
    channelOf: () => channels.bulks,
    read: ({ id }) => store.read(id),
    stateOf: ({ status, done, skipped, finishedAt }) => JSON.stringify([status, done, skipped, finishedAt]),
    isLast: ({ finishedAt }) => finishedAt !== null,
  })
  const service = createBulkService({
    ...{ store, history, now: Date.now },
    tokens: previewTokens(cipher, Date.now),
    newest: () => newest(connections.commands),
    tell: (id) => pubSub.publish(channels.bulks, id),
  })
  return {
    ...{ service, updates },
    async close() {
      await updates.close()
      await pubSub.close()
    },
  }
}

/** Works on the bulks that callers have begun, and on what a worker that stopped has left of them. */
export function bulkRunnerOf({ config, foundation, redis, lanes, errorQueue, ...parts }: WorkerParts) {
  const { records, transitions, destinations, log, owner } = parts
  const { history } = foundation.stores
  const jobs = createJobReader(records, history)
  const maxRounds = config.MAX_REPROCESS_ROUNDS
  const { keepsOrder } = destinations
  const reprocess = createReprocess({
    ...{ transitions, lanes, errorQueue, finished: jobs, maxRounds, keepsOrder },
  })
  return createBulkRunner({
    store: storeOf(redis, retentionMs(config)),
    work: createBulkWork({ history, jobs, reprocess }),
    leaseOf: (id) => createLease(redis, `bulk:${id}`, owner, config.LOCK_DURATION_MS),
    hasRoom: async () => !foundation.memory.isShort(),
    tell: (id) => redis.publish(channels.bulks, JSON.stringify(id)),
    log,
  })
}

async function newest(redis: Redis): Promise<{ journalId: string; n: number }> {
  const answers = await redis
    .multi([
      ['get', keys.seq],
      ['xrevrange', keys.journal, '+', '-', 'COUNT', 1],
    ])
    .exec()
  const [[, n], [, last]] = answers as [[null, string | null], [null, [id: string][]]]
  return { journalId: last[0]?.[0] ?? '0-0', n: Number(n) }
}

const storeOf = (redis: Redis, keepMs: number): BulkStore =>
  createBulkStore(redis, {
    keepMs,
    maxOf: (owner) => (owner === adminsOwner ? mostOfAdmins : mostOfTenant),
  })
