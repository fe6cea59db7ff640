import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { UnfitServerError } from './check-server.ts'
import type { HostAndPort, RedisAddress } from './redis-address.ts'
import { redisClient } from './redis-client.ts'

type Master = HostAndPort & { epoch: number; slots: readonly (readonly [from: number, to: number])[] }

/** The node that holds a hash slot. */
export type SlotHolder = HostAndPort & { slot: number }

/** Who holds what in a Redis Cluster, as its nodes tell. */
export type ClusterMap = {
  /** Asks the nodes who holds this key, or all keys with this hash tag. @throws Error when nobody does, or none of them answers */
  find(key: string): Promise<SlotHolder>
  /** Calls `gone` when the slot is seen to be another's. Returns how to stop watching. */
  watch(holder: SlotHolder, gone: () => void): () => void
  /** A connection to each node that holds slots. They stay the map's. */
  masters(): Promise<readonly Redis[]>
  close(): void
}

export type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>

type Deps = {
  address: ClusterAddress
  log: Pick<Logger, 'warn'>
  everyMs?: number
}
type Watcher = { holder: SlotHolder; gone: () => void }

/** A node that says nothing for so long is done without. */
const answerMs = 1_000
const lookAgainMs = 200

/**
 * Asks all known nodes every second, and whenever somebody looks for a slot: a node that hangs, or was replaced, closes no
 * connection by itself. Resolves when the Cluster has told who holds its slots.
 * @throws UnfitServerError when the nodes are of no Cluster
 */
export async function openClusterMap({ address, log, everyMs = 1_000 }: Deps): Promise<ClusterMap> {
  const scouts = new Map<string, Redis>()
  const watchers = new Set<Watcher>()
  const slots = new Map<string, number>()
  let masters: readonly Master[] = []
  let looking: Promise<void> | undefined
  const { nodes, tls } = address
  let told = false

  const scoutOf = (place: HostAndPort): Redis => {
    const known = scouts.get(textOf(place))
    if (known) return known
    const scout = openScout(place, address)
    scouts.set(textOf(place), scout)
    return scout
  }
  const look = async () => {
    const seen = await Promise.allSettled(
      [...scouts].map(async ([name, scout]) => mastersIn(String(await scout.cluster('NODES')), name, tls)),
    )
    const reports = seen.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    if (reports.length === 0) throw seen.find((one) => one.status === 'rejected')?.reason
    masters = reports.flat()
    for (const master of masters) scoutOf(master)
    forgetOthers()
    for (const { holder, gone } of watchers) {
      const owner = ownerIn(masters, holder.slot)
      if (owner && textOf(owner) !== textOf(holder)) gone()
    }
  }
  /** Containers leave an address behind with each restart. */
  const forgetOthers = () => {
    const known = new Set([...nodes, ...masters].map(textOf))
    for (const [name, scout] of scouts) {
      if (known.has(name)) continue
      scout.disconnect()
      scouts.delete(name)
    }
  }
  const slotOf = async (key: string): Promise<number> => {
    const slot =
      slots.get(key) ?? (await Promise.any([...scouts.values()].map((one) => one.cluster('KEYSLOT', key))))
    slots.set(key, Number(slot))
    return Number(slot)
  }
  const lookOnce = () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
  const close = () => {
    clearInterval(timer)
    for (const scout of scouts.values()) scout.disconnect()
  }

  for (const node of nodes) scoutOf(node)
  // Whoever needs the map is told of the trouble by the next try to connect.
  const timer = setInterval(() => void lookOnce().catch(() => undefined), everyMs)
  timer.unref()
  while (masters.length === 0) {
    try {
      await lookOnce()
    } catch (error) {
      if (/cluster support disabled/.test(String(error))) {
        close()
        throw new UnfitServerError(
          'REDIS_URL lists several servers, which names a Redis Cluster, but they are none: name one server, or redis+sentinel://…',
        )
      }
      if (!told) log.warn({ err: error }, 'the Redis Cluster does not answer, trying again')
      told = true
    }
    if (masters.length === 0) await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
  }

  return {
    async find(key) {
      const [slot] = await Promise.all([slotOf(key), lookOnce()])
      const owner = ownerIn(masters, slot)
      if (!owner) throw new Error(`CLUSTERDOWN nobody holds hash slot ${slot}`)
      return { slot, host: owner.host, port: owner.port }
    },
    watch(holder, gone) {
      const watcher = { holder, gone }
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    async masters() {
      await lookOnce()
      return [...new Set(masters.map(scoutOf))]
    },
    close,
  }
}

function openScout({ host, port }: HostAndPort, address: ClusterAddress): Redis {
  const scout = redisClient(address, {
    ...{ host, port, connectionName: 'gancho-map', enableReadyCheck: false },
    ...{ connectTimeout: answerMs, commandTimeout: answerMs, maxRetriesPerRequest: 0 },
    retryStrategy: () => lookAgainMs,
  })
  // Its calls are refused, which says as much.
  scout.on('error', () => undefined)
  return scout
}

const textOf = ({ host, port }: HostAndPort) => `${host} ${port}`

/** A master that was replaced claims its slots until it hears of that; the later claim has the higher epoch (Redis Cluster specification). */
const ownerIn = (masters: readonly Master[], slot: number): Master | undefined =>
  masters
    .filter(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to))
    .toSorted((a, b) => b.epoch - a.epoch)[0]

/**
 * The masters with slots in an answer to CLUSTER NODES, whose lines are
 * `<id> <ip:port@bus[,hostname]> <flags> <master> <ping> <pong> <epoch> <link> <slot> …`. `asked`: the node that gave it.
 */
function mastersIn(answer: string, asked: string, tls: boolean): Master[] {
  return answer.split('\n').flatMap((line) => {
    const [, address = '', flags = '', , , , epoch, , ...ranges] = line.trim().split(' ')
    const slots = ranges.flatMap((range) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
      return from === undefined ? [] : [[Number(from), Number(to)] as const]
    })
    if (!flags.split(',').includes('master') || slots.length === 0) return []
    const [, ip, port, name] = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(address) ?? []
    // Certificates are for names. A node that nobody has met yet does not know its own address.
    const host = (tls && name) || ip || asked.split(' ')[0] || ''
    return [{ host, port: Number(port), epoch: Number(epoch), slots }]
  })
}
