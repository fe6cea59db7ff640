import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { GanchoError } from '../errors.ts'
import { type AddressRanges, isIn } from '../tenants/sender-addresses.ts'

/** Keeps deliveries off addresses that only something inside our own network should reach (server-side request forgery). */
export type AddressGuard = {
  /** Whether a connection may be opened to this address, a text as a DNS answer or a URL holds it. */
  allows(address: string): boolean
  /**
   * Resolves a name as `net.connect` asks for it, and hands over the allowed addresses alone. Those are the ones that the socket
   * connects to, so no second answer can come between the check and the connection.
   */
  lookup: LookupFunction
}

type Options = {
  /** Ranges that are open although they are special. */
  allowed: AddressRanges
  /** Node's own, which asks the operating system, unless given. */
  resolve?: LookupFunction
}

/** The connection was refused by Gancho itself. Another attempt ends the same way as long as the name has these addresses. */
export class AddressRefused extends Error {
  readonly code = 'DESTINATION_NOT_ALLOWED'

  constructor(host: string) {
    // The addresses are left out: who may name any host should not learn where the names of our own network point.
    super(`${host} is at an address that deliveries may not go to`)
    this.name = 'AddressRefused'
  }
}

/** IPv6 addresses that are routed in the Internet (RFC 4291, 2.4): what lies outside is special, also where no RFC says how. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')
/** IPv4 behind a NAT64 (RFC 6052, 2.1): where a network has IPv6 alone, every IPv4 receiver looks like this. */
const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

export function addressGuard({ allowed, resolve = systemLookup as LookupFunction }: Options): AddressGuard {
  const allows = (text: string) => {
    if (isIP(text) === 0) return false
    const address = ipaddr.process(text)
    const target = behindNat64(address)
    return isPublic(target) || isIn(target, allowed) || isIn(address, allowed)
  }
  return {
    allows,
    lookup: (host, options, callback) => {
      resolve(host, { ...options, all: true }, (error, answers) => {
        if (error) callback(error, '')
        else
          answer(
            asList(answers).filter((one) => allows(one.address)),
            host,
            options,
            callback,
          )
      })
    },
  }
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

function behindNat64(address: Address): Address {
  if (address instanceof ipaddr.IPv4 || !address.match(nat64)) return address
  return new ipaddr.IPv4(address.toByteArray().slice(12))
}

/** What is left when everything special is taken away: private, loopback, link-local, shared, multicast, documentation, 6to4 … */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || (address.match(globalUnicast) && !isIsatap(address))
}

/** An IPv4 address in the interface id (RFC 5214, 6.1), which a tunnel of ours would unpack. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return ((parts[4] ?? 0) & 0xfdff) === 0 && parts[5] === 0x5efe
}

function asList(answers: string | LookupAddress[]): LookupAddress[] {
  return typeof answers === 'string' ? [{ address: answers, family: isIP(answers) }] : answers
}

function answer(
  good: LookupAddress[],
  host: string,
  options: LookupOptions,
  callback: Parameters<LookupFunction>[2],
): void {
  const [first] = good
  if (!first) callback(new AddressRefused(host), '')
  else if (options.all) callback(null, good)
  else callback(null, first.address, first.family)
}

/**
 * Tells at once, where a destination is made, what would fail at each delivery. A host name is not looked up: what it points to is
 * checked when it matters, at each connection.
 * @throws GanchoError BAD_REQUEST for what is no http(s) URL or carries a password, DESTINATION_NOT_ALLOWED for a literal address
 * that the guard refuses
 */
export function checkDestinationUrl(text: string, guard: Pick<AddressGuard, 'allows'>): URL {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new GanchoError('BAD_REQUEST', 'A destination needs a URL such as https://example.com/path.')
  if (url.username || url.password)
    throw new GanchoError('BAD_REQUEST', 'A destination carries its credentials beside its URL, not in it.')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !guard.allows(host))
    throw new GanchoError('DESTINATION_NOT_ALLOWED', `A destination may not be at the address ${host}.`)
  return url
}
