import { Redis } from 'ioredis'
import { until } from './client.ts'
import { freePort } from './free-port.ts'
import { startTestRedis, type TestRedis } from './redis.ts'

export type TestCluster = {
  /** Two of the masters; the others are found by them. */
  url: string
  /** The masters of the start, each with a third of the slots; Gancho's own keys are the first one's. */
  masters: readonly [TestRedis, TestRedis, TestRedis]
  /** Of the first master. */
  replica: TestRedis
  /** How long a node may be silent from now on. */
  takeForDeadAfter(ms: number): Promise<void>
  stop(): Promise<void>
}

const slotRanges = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const

/** No busy machine has a node silent for so long. */
export const patientMs = 20_000

/** A Redis Cluster of three masters and one replica on free ports; resolves when all know that it works. */
export async function startTestCluster(): Promise<TestCluster> {
  const started = await Promise.all([startNode(), startNode(), startNode(), startNode()])
  const nodes = started.map(({ redis }) => redis)
  const clients = nodes.map(({ url }) => new Redis(url))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  const takeForDeadAfter = async (ms: number) => {
    for (const { url } of nodes) {
      const client = new Redis(url)
      await client.config('SET', 'cluster-node-timeout', ms)
      client.disconnect()
    }
  }
  try {
    await join(started, clients)
    await follow(clients)
    await takeForDeadAfter(patientMs)
    const [one, two, three, replica] = started.map(({ redis }) => redis) as [
      TestRedis,
      TestRedis,
      TestRedis,
      TestRedis,
    ]
    return { url: `${one.url},${two.url}`, masters: [one, two, three], replica, takeForDeadAfter, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
}

/** Its data outlives a crash, as does who is who. */
async function startNode() {
  const busPort = await freePort()
  const config = [
    ...['cluster-enabled yes', 'cluster-config-file nodes.conf', `cluster-port ${busPort}`],
    // Short while they meet, which goes by it.
    ...['cluster-node-timeout 1000', 'cluster-replica-validity-factor 0', 'repl-diskless-sync-delay 0'],
  ]
  return { busPort, redis: await startTestRedis({ config }) }
}

async function join(nodes: readonly { busPort: number; redis: TestRedis }[], clients: readonly Redis[]) {
  for (const [i, range] of slotRanges.entries())
    await clients[i]?.call('CLUSTER', 'ADDSLOTSRANGE', ...range.map(String))
  for (const [i, client] of clients.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
    const { port } = nodes[0]?.redis ?? { port: 0 }
    if (i > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(nodes[0]?.busPort))
  }
  const works = async (client: Redis) => {
    const info = String(await client.cluster('INFO'))
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`)
  }
  for (const client of clients) await until(() => works(client), { what: 'the Cluster works' })
}

/** The last node becomes a replica of the first one, and has all of its data. */
async function follow(clients: readonly Redis[]) {
  const [master, last] = [clients[0], clients.at(-1)]
  await last?.call('CLUSTER', 'REPLICATE', String(await master?.cluster('MYID')))
  const linked = async () => String(await last?.info('replication')).includes('master_link_status:up')
  await until(linked, { what: 'the replica has the data of its master' })
}
