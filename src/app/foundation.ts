import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { createDataSet, type DataSet } from '../history/data-set.ts'
import { checkServer } from '../redis/check-server.ts'
import { type Connections, openConnections } from '../redis/connections.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '../redis/embedded-server.ts'
import { type MemoryGuard, watchMemory } from '../redis/memory-guard.ts'
import { untilAnswered } from '../redis/until-answered.ts'
import { openStores, type Stores } from '../storage/open-stores.ts'
import { developmentSecrets } from '../welcome/development-secrets.ts'
import { storeOptions } from './store-options.ts'

/** `encryptionSecrets`: the newest first. */
export type Secrets = { adminToken: string; encryptionSecrets: readonly [string, ...string[]] }

/** What everything else stands on: the two stores, the data set that ties them together, the secrets. */
export type Foundation = {
  redisUrl: string
  connections: Connections
  stores: Stores
  dataSet: DataSet
  memory: MemoryGuard
  secrets: Secrets
  /** Whether this process runs on a Redis and a database of its own, as on a developer's machine. */
  embedded: boolean
  close(): Promise<void>
}

/** Opens, in order, and closes what it opened when a later step fails. */
export async function openFoundation(config: Config, log: Logger): Promise<Foundation> {
  const opened: { close(): Promise<void> | void }[] = []
  const close = async () => {
    for (const part of opened.reverse()) await part.close()
  }
  const keep = <Part extends { close(): Promise<void> | void }>(part: Part): Part => {
    opened.push(part)
    return part
  }
  try {
    const redis: EmbeddedRedis | undefined = config.REDIS_URL
      ? undefined
      : keep(await startEmbeddedRedis({ dataDir: config.DATA_DIR, log }))
    const redisUrl = redis?.url ?? (config.REDIS_URL as string)
    const secrets = secretsOf(config)
    const connections = keep(await openConnections({ url: redisUrl, log }))
    const { clustered } = connections
    await untilAnswered(async () => {
      // Another one may have taken the place of a Cluster's node that does not answer.
      for (const server of await connections.servers()) await checkServer(server, log, { clustered })
    }, log)
    const stores = keep(await openStores(storeOptions(config)))
    const dataSet = await untilAnswered(() => createDataSet(connections.commands, stores.history), log)
    const memory = keep(await watchMemory({ redis: connections.commands, log }))
    const embedded = redis !== undefined && !config.DB_CONNECT
    return { redisUrl, connections, stores, dataSet, memory, secrets, embedded, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What the environment does not give is made up, which the configuration allows for the embedded defaults alone. */
function secretsOf({ ADMIN_TOKEN, ENCRYPTION_SECRET, DATA_DIR }: Config): Secrets {
  if (ADMIN_TOKEN && ENCRYPTION_SECRET)
    return { adminToken: ADMIN_TOKEN, encryptionSecrets: ENCRYPTION_SECRET }
  const made = developmentSecrets(DATA_DIR)
  return {
    adminToken: ADMIN_TOKEN ?? made.adminToken,
    encryptionSecrets: ENCRYPTION_SECRET ?? [made.encryptionSecret],
  }
}
