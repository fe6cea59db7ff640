import { createSocket, type RemoteInfo } from 'node:dgram'
import { promises as dns, type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Addresses of a name; asked anew for each question, so that an answer can change between two of them. */
type Answers = (name: string, family: 4 | 6) => readonly string[]

export type DnsServer = {
  /** Names that were asked for, with the family. */
  asked: string[]
  /** As `net.connect` takes it: asks this server over UDP for both families, IPv6 first as many systems do. */
  lookup: LookupFunction
  close(): Promise<void>
}

const types = { 1: 4, 28: 6 } as const
const typeA = 1

/** A real DNS server on the loopback (RFC 1035, RFC 3596) that answers A and AAAA questions without a time to live. */
export async function startDnsServer(answers: Answers): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, end } = question(query)
    const family = types[query.readUInt16BE(end) as keyof typeof types]
    asked.push(`${name} IPv${family}`)
    socket.send(reply(query, end + 4, family ? answers(name, family) : []), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const resolver = new dns.Resolver({ timeout: 20_000, tries: 1 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return {
    asked,
    lookup: lookupBy(resolver),
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function lookupBy(resolver: dns.Resolver): LookupFunction {
  return (name, options, callback) => {
    const found = [resolver.resolve6(name).then(list(6), none), resolver.resolve4(name).then(list(4), none)]
    Promise.all(found).then((lists) => {
      const all = lists.flat()
      const [first] = all
      if (!first) callback(Object.assign(new Error(`no address of ${name}`), { code: 'ENOTFOUND' }), '')
      else if (options.all) callback(null, all)
      else callback(null, first.address, first.family)
    })
  }
}

const list = (family: number) => (found: string[]) => found.map((address) => ({ address, family }))
const none = (): LookupAddress[] => []

/** The name asked for, and where in the message it ends. */
function question(query: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function reply(query: Buffer, end: number, addresses: readonly string[]): Buffer {
  const header = Buffer.from(query.subarray(0, 12))
  // An answer, by the authority, without an error.
  header.writeUInt16BE(0x8580, 2)
  header.writeUInt16BE(addresses.length, 6)
  header.writeUInt32BE(0, 8)
  return Buffer.concat([header, query.subarray(12, end), ...addresses.map(record)])
}

function record(address: string): Buffer {
  const bytes = ipaddr.parse(address).toByteArray()
  const fields = Buffer.alloc(12)
  // The name is where the question has it.
  fields.writeUInt16BE(0xc00c, 0)
  fields.writeUInt16BE(bytes.length === 4 ? typeA : 28, 2)
  fields.writeUInt16BE(1, 4)
  fields.writeUInt16BE(bytes.length, 10)
  return Buffer.concat([fields, Buffer.from(bytes)])
}
