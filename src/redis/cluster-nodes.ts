import type { HostAndPort } from './redis-address.ts'

/** A claim to hold these slots, as one node knows it. */
export type Master = HostAndPort & { epoch: number; slots: readonly (readonly [from: number, to: number])[] }

/**
 * The masters with slots in an answer to CLUSTER NODES, whose lines are
 * `<id> <ip:port@bus[,hostname]> <flags> <master> <ping> <pong> <epoch> <link> <slot> …`. `asked`: the host of the node that gave it.
 */
export function mastersIn(answer: string, { asked, tls }: { asked: string; tls: boolean }): Master[] {
  return answer.split('\n').flatMap((line) => {
    const [, address = '', flags = '', , , , epoch, , ...ranges] = line.trim().split(' ')
    const slots = ranges.flatMap(slotsOf)
    if (!flags.split(',').includes('master') || slots.length === 0) return []
    const [, ip, port, name] = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(address) ?? []
    // Certificates are for names. A node that nobody has met yet does not know its own address.
    const host = (tls && name) || ip || asked
    return [{ host, port: Number(port), epoch: Number(epoch), slots }]
  })
}

/** Slots on their way from or to another node, as `[slot->-node]`, stand beside what the node holds. */
function slotsOf(range: string): (readonly [number, number])[] {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
  return from === undefined ? [] : [[Number(from), Number(to)]]
}

/** A master that was replaced claims its slots until it hears of that; the later claim has the higher epoch (Redis Cluster specification). */
export const holderIn = (masters: readonly Master[], slot: number): Master | undefined =>
  masters
    .filter(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to))
    .toSorted((a, b) => b.epoch - a.epoch)[0]

export const isSamePlace = (a: HostAndPort, b: HostAndPort) => a.host === b.host && a.port === b.port
