import type { IncomingHttpHeaders } from 'node:http'
import { GanchoError } from '../errors.ts'
import { type AccessWindow, parseAccessWindow } from './access-window.ts'
import { type AddressRanges, isAllowedSender, parseAddressRanges } from './sender-addresses.ts'
import type { TenantSettings } from './tenant-settings.ts'

/** What is looked at of a request; an `IncomingMessage` is one. */
export type Asking = { headers: IncomingHttpHeaders; socket: { remoteAddress?: string | undefined } }

type Rules = { window: AccessWindow | undefined; addresses: AddressRanges | undefined }

/** @throws GanchoError OUTSIDE_ACCESS_WINDOW, with the next opening. */
export function requireOpen(window: AccessWindow, atMs: number): void {
  if (window.isOpen(atMs)) return
  const next = window.nextOpening(atMs)
  const nextOpening = next === null ? null : new Date(next).toISOString()
  throw new GanchoError(
    'OUTSIDE_ACCESS_WINDOW',
    `This token is honoured ${window.text} only; the next opening is ${nextOpening ?? 'never'}.`,
    {
      ...(next !== null && { retryAfterSeconds: Math.ceil((next - atMs) / 1_000) }),
      details: { accessWindow: window.text, nextOpening },
    },
  )
}

function readRules({ accessWindow, allowedAddresses }: TenantSettings): Rules {
  try {
    return {
      window: accessWindow === undefined ? undefined : parseAccessWindow(accessWindow),
      addresses: allowedAddresses && parseAddressRanges(allowedAddresses),
    }
  } catch (cause) {
    // They were checked when they were set, so this is not the caller's mistake.
    throw new GanchoError('INTERNAL', undefined, { cause })
  }
}

/**
 * Checks a tenant's request against its settings: where it comes from, and when. Settings that bind nothing cost nothing; others are
 * read once for as long as their object is the same.
 * @throws (by what it returns) GanchoError ADDRESS_NOT_ALLOWED, OUTSIDE_ACCESS_WINDOW
 */
export function admission(trustedProxies: AddressRanges, now: () => number) {
  const read = new WeakMap<TenantSettings, Rules>()
  const rulesOf = (settings: TenantSettings): Rules => {
    const known = read.get(settings)
    if (known) return known
    const rules = readRules(settings)
    read.set(settings, rules)
    return rules
  }
  return (settings: TenantSettings, { headers, socket }: Asking): void => {
    if (settings.accessWindow === undefined && settings.allowedAddresses === undefined) return
    const { window, addresses } = rulesOf(settings)
    const connection = { remoteAddress: socket.remoteAddress, forwardedFor: headers['x-forwarded-for'] }
    if (addresses && !isAllowedSender(connection, addresses, trustedProxies))
      throw new GanchoError('ADDRESS_NOT_ALLOWED')
    if (window) requireOpen(window, now())
  }
}
