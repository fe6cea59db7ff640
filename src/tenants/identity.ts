import { GanchoError } from '../errors.ts'
import { type AccessWindow, parseAccessWindow } from './access-window.ts'
import type { AdminToken } from './admin-tokens.ts'
import { type Asking, admission, requireOpen } from './admission.ts'
import type { TenantDirectory } from './directory.ts'
import type { Authenticate, Principal } from './principal.ts'
import type { AddressRanges } from './sender-addresses.ts'
import type { TenantSettings } from './tenant-settings.ts'

/** Whom a token stands for, without the token: enough to ask again later whether it is still honoured. */
export type Identity = { kind: 'admin'; name: string } | { kind: 'tenant'; cnpj: string; tokenId: string }

/** Who asks, and from where, to be asked about again. */
export type Claim = { identity: Identity; from: Asking }
/** `principal` is what the claim amounts to now. */
export type Admitted = { claim: Claim; principal: Principal }

export type Identities = {
  /** By the Bearer token of a request. @throws GanchoError as `Authenticate` does, always by the promise */
  ofRequest(request: Asking): Promise<Admitted>
  /** What of a request is remembered to ask again: where it came from, and no token. */
  from(request: Asking): Asking
  /** Whether the claim is still good: at once when its token is known, else by a promise. @throws GanchoError as `Authenticate` does */
  ask(claim: Claim): Principal | Promise<Principal>
  /** When the claim ends by itself, in epoch milliseconds: its token expires, or its hours are over. */
  endsAt(claim: Claim, principal: Principal): number | null
}

export type IdentitiesDeps = {
  authenticate: Authenticate
  admins: readonly AdminToken[]
  adminWindow?: AccessWindow | undefined
  trustedProxies?: AddressRanges
  directory: Pick<TenantDirectory, 'authenticateById' | 'tokenOf' | 'tokenById'>
  /** Epoch milliseconds. */
  now?: () => number
}

/** A change of the tenant between being admitted and being looked at is met by asking again. */
const tries = 3

export function identities(deps: IdentitiesDeps): Identities {
  const { authenticate, admins, adminWindow, trustedProxies = [], directory, now = Date.now } = deps
  const admit = admission(trustedProxies, now)
  const windowOf = windows()

  function askForAdmin(name: string): Principal {
    const found = admins.find((one) => one.name === name)
    if (!found) throw new GanchoError('UNAUTHENTICATED')
    if (adminWindow) requireOpen(adminWindow, now())
    return { kind: 'admin', name, access: found.access }
  }
  return {
    async ofRequest({ headers, socket: { remoteAddress } }) {
      const token = (headers.authorization ?? '').replace(/^\S+ +/, '').trimEnd()
      const from = originOf({ headers, socket: { remoteAddress } })
      for (let left = tries; left > 0; left--) {
        const principal = await authenticate({ headers, socket: { remoteAddress } })
        const identity = identityOf(principal, () => directory.tokenOf(token)?.id)
        if (identity) return { claim: { identity, from }, principal }
      }
      throw new GanchoError('LOOK_UPS_BUSY', undefined, { retryAfterSeconds: 1 })
    },
    from: originOf,
    ask({ identity, from }) {
      if (identity.kind === 'admin') return askForAdmin(identity.name)
      const tenant = directory.authenticateById(identity.cnpj, identity.tokenId)
      if (!(tenant instanceof Promise)) {
        admit(tenant.settings, from)
        return { kind: 'tenant', tenant }
      }
      return tenant.then((found) => {
        admit(found.settings, from)
        return { kind: 'tenant', tenant: found }
      })
    },
    endsAt({ identity }, principal) {
      if (identity.kind === 'admin' || principal.kind === 'admin') return adminWindow?.closesAt(now()) ?? null
      const closes = windowOf(principal.tenant.settings)?.closesAt(now()) ?? null
      const expires = directory.tokenById(identity.cnpj, identity.tokenId)?.expiresAt ?? null
      return closes === null || expires === null ? (closes ?? expires) : Math.min(closes, expires)
    },
  }
}

/** The same for claims that are asked about in the same way. */
export function claimKey({ identity, from }: Claim): string {
  const who = identity.kind === 'admin' ? identity.name : `${identity.cnpj} ${identity.tokenId}`
  return `${identity.kind} ${who} ${from.socket.remoteAddress} ${from.headers['x-forwarded-for']}`
}

function originOf({ headers, socket: { remoteAddress } }: Asking): Asking {
  return { headers: { 'x-forwarded-for': headers['x-forwarded-for'] }, socket: { remoteAddress } }
}

function identityOf(principal: Principal, tokenId: () => string | undefined): Identity | undefined {
  if (principal.kind === 'admin') return { kind: 'admin', name: principal.name }
  const id = tokenId()
  return id === undefined ? undefined : { kind: 'tenant', cnpj: principal.tenant.cnpj, tokenId: id }
}

/** The windows of tenants, read once for as long as their settings are the same object. */
function windows() {
  const read = new WeakMap<TenantSettings, AccessWindow>()
  return (settings: TenantSettings): AccessWindow | undefined => {
    if (settings.accessWindow === undefined) return undefined
    const window = read.get(settings) ?? parseAccessWindow(settings.accessWindow)
    read.set(settings, window)
    return window
  }
}
