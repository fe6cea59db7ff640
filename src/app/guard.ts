import type { Config } from '../config.ts'
import { type AddressGuard, addressGuard } from '../delivery/address-guard.ts'
import { type AddressRanges, parseAddressRanges } from '../tenants/sender-addresses.ts'
import type { Foundation } from './foundation.ts'

const loopback = parseAddressRanges(['127.0.0.0/8', '::1'])

type Embedded = Pick<Foundation, 'embedded'>

/** What destinations may be at beside public addresses: who develops on one machine delivers to it. */
export const openRanges = ({ ALLOWED_CIDRS }: Config, { embedded }: Embedded): AddressRanges =>
  ALLOWED_CIDRS ?? (embedded ? loopback : [])

export const guardOf = (config: Config, foundation: Embedded): AddressGuard =>
  addressGuard({ allowed: openRanges(config, foundation) })
