import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import ipaddr from 'ipaddr.js'

/** A TCP connection by its two ends, as `connectionKey` names it. */
export type ConnectionKey = string
/** How often something was sent again since the peer last answered anything, by connection; without those whose peer is not behind. */
export type UnansweredTries = ReadonlyMap<ConnectionKey, number>

type Ends = {
  localAddress?: string | undefined
  localPort?: number | undefined
  remoteAddress?: string | undefined
  remotePort?: number | undefined
}

/** Undefined for a socket that is not connected. */
export function connectionKey(ends: Ends): ConnectionKey | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = ends
  if (!localAddress || !localPort || !remoteAddress || !remotePort) return undefined
  return `${bytesOf(localAddress)}:${localPort} ${bytesOf(remoteAddress)}:${remotePort}`
}

/** IPv4 in its IPv6 form counts as IPv4. */
const bytesOf = (address: string) => Buffer.from(ipaddr.process(address).toByteArray()).toString('hex')

const tables = ['/proc/net/tcp', '/proc/net/tcp6']

/**
 * Asks the system (Linux, proc_net_tcp(5)). One pass over all connections of this network namespace: about a millisecond of a thread
 * of the pool for a thousand of them, and less than half of that on the event loop.
 * @returns undefined where the system does not tell
 * @throws Error what reading failed with
 */
export async function readUnansweredTries(): Promise<UnansweredTries | undefined> {
  const texts = (await Promise.all(tables.map(readTable))).filter((text) => text !== undefined)
  return texts.length > 0 ? unansweredTries(texts.join('')) : undefined
}

/** One of them is missing where the system speaks one kind of IP alone. */
const readTable = (path: string) =>
  readFile(path, 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

/** Local and remote end, state 01 (established), queues, timer, retransmissions, owner, and probes that were not answered. */
const row = /^ *\d+: (\w+:\w+) (\w+:\w+) 01 \S+ \S+ (\w+) +\d+ +(\d+) /gm

/** Reads the text of those tables. */
export function unansweredTries(text: string): UnansweredTries {
  const found = new Map<ConnectionKey, number>()
  for (const [, local = '', remote = '', retransmissions = '', probes = ''] of text.matchAll(row)) {
    const tries = Number.parseInt(retransmissions, 16) + Number(probes)
    if (tries > 0) found.set(`${endOf(local)} ${endOf(remote)}`, tries)
  }
  return found
}

const mapped = '00000000000000000000ffff'

/** Addresses are shown as numbers of 32 bits in the byte order of the machine. */
function endOf(shown: string): string {
  const [address = '', port = ''] = shown.split(':')
  const bytes = Buffer.from(address, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  const hex = bytes.toString('hex')
  return `${hex.startsWith(mapped) ? hex.slice(mapped.length) : hex}:${Number.parseInt(port, 16)}`
}
