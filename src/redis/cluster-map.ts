import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { UnfitServerError } from './check-server.ts'
import { holderIn, type Master } from './cluster-nodes.ts'
import { type ClusterScouts, openClusterScouts } from './cluster-scouts.ts'
import type { ServerMap } from './master-connector.ts'
import { watchMasters } from './master-watch.ts'
import type { ClusterAddress, HostAndPort } from './redis-address.ts'

/** The node that holds a hash slot. */
export type SlotHolder = HostAndPort & { slot: number }

/** Who holds what in a Redis Cluster, as its nodes tell. */
export type ClusterMap = ServerMap<SlotHolder> & {
  /** A connection to each node that holds slots and answers. They stay the map's. */
  masters(): Promise<readonly Redis[]>
}

type Deps = {
  address: ClusterAddress
  log: Pick<Logger, 'warn'>
  everyMs?: number
  /** How long it may take until the Cluster has answered; for ever unless given. */
  withinMs?: number
}

const tryAgainMs = 200

/**
 * Asks all known nodes every second, and whenever somebody looks for a key. Resolves when the Cluster has told who holds its slots.
 * @throws UnfitServerError when the nodes are of no Cluster, and Error when none has answered within `withinMs`
 */
export async function openClusterMap({ address, everyMs = 1_000, ...deps }: Deps): Promise<ClusterMap> {
  const scouts = openClusterScouts(address)
  let masters: readonly Master[] = await firstMasters(scouts, deps).catch((error) => {
    scouts.close()
    throw error
  })
  const { look, watch, stop } = watchMasters({
    async ask() {
      masters = await scouts.masters()
    },
    holderNow: (_, { slot }: SlotHolder) => holderIn(masters, slot),
    everyMs,
  })

  return {
    async find(key) {
      const [slot] = await Promise.all([scouts.slotOf(key), look()])
      const holder = holderIn(masters, slot)
      if (!holder) throw new Error(`CLUSTERDOWN nobody holds hash slot ${slot}`)
      return { slot, host: holder.host, port: holder.port }
    },
    watch,
    async masters() {
      await look()
      const holders = masters.filter((one) => one.slots.some(([from]) => holderIn(masters, from) === one))
      const found = [...new Set(holders.map(scouts.to))]
      const answers = await Promise.allSettled(found.map((one) => one.ping()))
      return found.filter((_, i) => answers[i]?.status === 'fulfilled')
    },
    close() {
      stop()
      scouts.close()
    },
  }
}

/** Waits for the Cluster, and says once that it does. */
async function firstMasters(
  scouts: ClusterScouts,
  { log, withinMs = Number.POSITIVE_INFINITY }: Pick<Deps, 'log' | 'withinMs'>,
): Promise<Master[]> {
  const since = performance.now()
  for (let told = false; ; told = true) {
    try {
      const masters = await scouts.masters()
      if (masters.length > 0) return masters
      throw new Error('no node of the Redis Cluster holds hash slots: it was not set up yet')
    } catch (err) {
      if (/cluster support disabled/.test(String(err))) throw new UnfitServerError(noCluster)
      if (performance.now() - since > withinMs) throw err
      if (!told) log.warn({ err }, 'the Redis Cluster does not answer, trying again')
    }
    await sleep(tryAgainMs)
  }
}

const noCluster =
  'REDIS_URL lists several servers, as for a Redis Cluster, but they are none: name one of them, or redis+sentinel://… for a set.'
