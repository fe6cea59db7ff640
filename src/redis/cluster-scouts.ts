import type { Redis } from 'ioredis'
import { type Master, mastersIn } from './cluster-nodes.ts'
import type { ClusterAddress, HostAndPort } from './redis-address.ts'
import { askingOptions, redisClient } from './redis-client.ts'

/** A connection to each node that REDIS_URL names, or that holds slots. */
export type ClusterScouts = {
  /** What all nodes that answer claim of each other. @throws Error why none of them answers */
  masters(): Promise<Master[]>
  slotOf(key: string): Promise<number>
  to(place: HostAndPort): Redis
  close(): void
}

export function openClusterScouts(address: ClusterAddress): ClusterScouts {
  const scouts = new Map<string, Redis>()
  const slots = new Map<string, number>()
  let lastError: Error | undefined
  const to = (place: HostAndPort): Redis => {
    const known = scouts.get(nameOf(place))
    if (known) return known
    const scout = redisClient(address, askingOptions(place))
    scout.on('error', (error: Error) => {
      lastError = error
    })
    scouts.set(nameOf(place), scout)
    return scout
  }
  const ask = async (scout: Redis): Promise<Master[]> => {
    const answer = String(await scout.cluster('NODES'))
    return mastersIn(answer, { asked: scout.options.host ?? '', tls: address.tls })
  }
  /** Containers leave an address behind with each restart. */
  const keepOnly = (places: readonly HostAndPort[]) => {
    const kept = new Set(places.map(nameOf))
    for (const [name, scout] of scouts) {
      if (kept.has(name)) continue
      scout.disconnect()
      scouts.delete(name)
    }
  }

  for (const node of address.nodes) to(node)
  return {
    async masters() {
      const answers = await Promise.allSettled([...scouts.values()].map(ask))
      const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      const refusal = answers.find((one) => one.status === 'rejected')
      // ioredis refuses a call with "Connection is closed", and tells the cause as an event.
      if (told.length === 0) throw refusalOf(refusal?.reason) ?? lastError ?? refusal?.reason
      const masters = told.flat()
      for (const master of masters) to(master)
      keepOnly([...address.nodes, ...masters])
      return masters
    },
    async slotOf(key) {
      const slot =
        slots.get(key) ?? (await Promise.any([...scouts.values()].map((one) => one.cluster('KEYSLOT', key))))
      slots.set(key, Number(slot))
      return Number(slot)
    },
    to,
    close() {
      for (const scout of scouts.values()) scout.disconnect()
    },
  }
}

const nameOf = ({ host, port }: HostAndPort) => `${host} ${port}`

/** A server's own words, where it was one that refused. */
const refusalOf = (reason: unknown) =>
  reason instanceof Error && reason.name === 'ReplyError' ? reason : undefined
