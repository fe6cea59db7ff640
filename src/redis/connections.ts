import type { Redis, RedisOptions } from 'ioredis'
import type { Logger } from 'pino'
import { openClusterMap } from './cluster-map.ts'
import { bullPrefix, keys } from './keys.ts'
import { masterConnector } from './master-connector.ts'
import { parseRedisAddress } from './redis-address.ts'
import { redisClient } from './redis-client.ts'
import { openSentinelMap } from './sentinel-map.ts'

/** On a Cluster each leads to the node that holds Gancho's own keys, and those for queues to the nodes that hold these. */
export type Connections = {
  /** For the accept scripts alone: fails at once or within its timeout, and never sends a command twice by itself. */
  intake: Redis
  /** For callers who wait for an answer: bounded, and never sends a command twice by itself. */
  commands: Redis
  /** For background work that outlives a Redis restart: waits, and repeats what was cut off. Only for commands that may repeat. */
  patient: Redis
  /** A further patient connection, for a reader that blocks or a subscriber. */
  dedicated(name: string): Redis
  /** `commands`, or on a Cluster its like to the node that holds this BullMQ queue. */
  commandsOf: QueueConnection
  /** `patient`, or on a Cluster its like to the node that holds this BullMQ queue. */
  patientOf: QueueConnection
  clustered: boolean
  /** A connection to each server that holds data. They stay the connections' own. */
  servers(): Promise<readonly Redis[]>
  close(): Promise<void>
}

/** The connection that leads to a BullMQ queue. */
export type QueueConnection = (queue: string) => Redis

type Deps = { url: string; log: Logger; commandTimeoutMs?: number }

/** Leaves time to answer: a caller is told within 2 s, also when Redis hangs. */
const defaultTimeoutMs = 1_500

/** A master that is silent for so long may have been replaced by then. */
const serverTimeoutMs = 3_000

const impatient = (commandTimeoutMs: number): RedisOptions => ({
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: commandTimeoutMs,
})

/**
 * Opens Gancho's connections; resolves when Redis answers on each of them.
 * @throws UnfitServerError when the servers of a list are of no Cluster
 */
export async function openConnections(deps: Deps): Promise<Connections> {
  const { log, commandTimeoutMs = defaultTimeoutMs } = deps
  const address = parseRedisAddress(deps.url)
  const cluster = address.kind === 'cluster' ? await openClusterMap({ address, log }) : undefined
  const map = address.kind === 'sentinel' ? openSentinelMap(address) : cluster
  const opened: Redis[] = []
  const open = (name: string, options: RedisOptions, hashTag: string = keys.prefix): Redis => {
    const redis = redisClient(address, {
      ...(map && { Connector: masterConnector(map, hashTag), connectTimeout: serverTimeoutMs }),
      connectionName: `gancho-${name}`,
      keepAlive: 10_000,
      retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
      ...options,
    })
    reportTrouble(redis, name, log)
    opened.push(redis)
    return redis
  }
  const patient: RedisOptions = { maxRetriesPerRequest: null }
  const ofQueues = (kind: string, options: RedisOptions, shared: Redis): QueueConnection => {
    const known = new Map<string, Redis>()
    return (queue) => {
      if (!cluster) return shared
      const redis = known.get(queue) ?? open(`${kind}-${queue}`, options, bullPrefix(queue))
      known.set(queue, redis)
      return redis
    }
  }
  const commands = open('commands', impatient(commandTimeoutMs))
  const patientOne = open('patient', patient)
  const connections: Connections = {
    intake: open('intake', impatient(commandTimeoutMs)),
    commands,
    patient: patientOne,
    dedicated: (name) => open(name, patient),
    commandsOf: ofQueues('commands', impatient(commandTimeoutMs), commands),
    patientOf: ofQueues('patient', patient, patientOne),
    clustered: cluster !== undefined,
    servers: async () => cluster?.masters() ?? [commands],
    async close() {
      map?.close()
      for (const redis of opened) redis.disconnect()
    },
  }
  await Promise.all(opened.map(ready))
  return connections
}

function ready(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => redis.once('ready', () => resolve()))
}

/** One line when a connection is lost and one when it is back, however often ioredis tries in between. */
function reportTrouble(redis: Redis, name: string, log: Logger): void {
  let lost = false
  redis.on('error', (error: Error) => {
    if (lost) return
    lost = true
    log.warn({ connection: name, err: error }, 'Redis connection lost, trying again')
  })
  redis.on('ready', () => {
    if (lost) log.info({ connection: name }, 'Redis connection is back')
    lost = false
  })
}
