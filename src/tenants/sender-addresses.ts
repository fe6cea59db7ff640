import ipaddr from 'ipaddr.js'
import { GanchoError } from '../errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** Addresses in CIDR notation, read. */
export type AddressRanges = readonly [Address, number][]

/** Where a request came from: the peer of its connection, and what proxies say of those before it. */
export type Connection = {
  remoteAddress?: string | undefined
  /** `X-Forwarded-For`. */
  forwardedFor?: string | string[] | undefined
}

/**
 * Reads addresses and ranges such as `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`.
 * @throws GanchoError BAD_REQUEST
 */
export function parseAddressRanges(texts: readonly string[]): AddressRanges {
  return texts.map((text) => rangeOf(text.trim()))
}

function rangeOf(text: string): [Address, number] {
  const [host = '', bits] = text.split('/')
  const single = bits === undefined && addressOf(host)
  if (single) return [single, single.kind() === 'ipv4' ? 32 : 128]
  // Octal, hexadecimal and shortened forms of IPv4 mean different things to different readers.
  const exact = host.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(host)
  if (!exact || !ipaddr.isValidCIDR(text))
    throw new GanchoError(
      'BAD_REQUEST',
      `${JSON.stringify(text.slice(0, 64))} is neither an address nor a range such as 10.0.0.0/8.`,
    )
  const [address, prefix] = ipaddr.parseCIDR(text)
  const mapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && prefix >= 96
  return mapped ? [address.toIPv4Address(), prefix - 96] : [address, prefix]
}

/** IPv4 in its IPv6 form counts as IPv4. Null for what is no address. */
function addressOf(text: string): Address | null {
  const exact = text.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(text)
  return exact && ipaddr.isValid(text) ? ipaddr.process(text) : null
}

/** Whether an address, its IPv4-mapped form undone, lies in one of the ranges. */
export const isIn = (address: Address, ranges: AddressRanges) =>
  ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))

/**
 * Tells whether a request came from one of the `allowed` addresses. `X-Forwarded-For` is believed only as far as `trusted` proxies
 * wrote it: from the right, the first address that is none of them is the sender. What cannot be read is not allowed.
 */
export function isAllowedSender(
  connection: Connection,
  allowed: AddressRanges,
  trusted: AddressRanges,
): boolean {
  const sender = senderOf(connection, trusted)
  return sender !== null && isIn(sender, allowed)
}

function senderOf(
  { remoteAddress = '', forwardedFor = '' }: Connection,
  trusted: AddressRanges,
): Address | null {
  let sender = addressOf(remoteAddress)
  const said = String(forwardedFor).trim()
  const hops = said ? said.split(',').reverse() : []
  for (const hop of hops) {
    if (!sender || !isIn(sender, trusted)) return sender
    sender = addressOf(withoutPort(hop.trim()))
  }
  return sender
}

/** Some proxies add the port: `192.0.2.7:4711`, `[2001:db8::7]:4711`. */
const withoutPort = (hop: string) =>
  /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
