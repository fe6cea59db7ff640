import { GanchoError } from '../errors.ts'
import type { AccessWindow } from './access-window.ts'
import { type Administrator, type AdminToken, adminTokens } from './admin-tokens.ts'
import { type Asking, admission, requireOpen } from './admission.ts'
import type { TenantDirectory } from './directory.ts'
import type { AddressRanges } from './sender-addresses.ts'
import type { Tenant } from './tenant.ts'

/** Who asks. */
export type Principal = Administrator | { kind: 'tenant'; tenant: Tenant }

/** Somebody's name for the record: a tenant's CNPJ, or that of an administrator's token. */
export type Requester = { kind: 'tenant' | 'admin'; name: string }

export const requesterOf = (principal: Principal): Requester =>
  principal.kind === 'admin'
    ? { kind: 'admin', name: principal.name }
    : { kind: 'tenant', name: principal.tenant.cnpj }

export type AuthenticatorDeps = {
  admins: readonly AdminToken[]
  /** Hours in which administrators are served; always, without one. */
  adminWindow?: AccessWindow | undefined
  /** Proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: AddressRanges
  directory: Pick<TenantDirectory, 'authenticate'>
  /** Epoch milliseconds. */
  now?: () => number
}

/**
 * Tells from the Bearer token of a request who asks, and refuses whoever may not do so from there or now: at once when the token is
 * known, else by a promise.
 * @throws GanchoError UNAUTHENTICATED, TENANT_INACTIVE, ADDRESS_NOT_ALLOWED, OUTSIDE_ACCESS_WINDOW, LOOK_UPS_BUSY or
 * DATABASE_UNAVAILABLE, at once or by the promise
 */
export type Authenticate = (request: Asking) => Principal | Promise<Principal>

/** RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). No token of ours is longer than 512 characters. */
const bearer = /^Bearer +([!-~]{1,512}) *$/i

export function authenticator(deps: AuthenticatorDeps): Authenticate {
  const { admins, adminWindow, trustedProxies = [], directory, now = Date.now } = deps
  const adminOf = adminTokens(admins)
  const admit = admission(trustedProxies, now)

  function ofTenant(tenant: Tenant, request: Asking): Principal {
    admit(tenant.settings, request)
    return { kind: 'tenant', tenant }
  }
  return (request) => {
    const token = bearer.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) throw new GanchoError('UNAUTHENTICATED')
    const admin = adminOf(token)
    if (admin && adminWindow) requireOpen(adminWindow, now())
    if (admin) return admin
    const tenant = directory.authenticate(token)
    if (tenant instanceof Promise) return tenant.then((found) => ofTenant(found, request))
    return ofTenant(tenant, request)
  }
}

/** Whether this principal may change anything at all. */
export const mayWrite = (principal: Principal) => principal.kind === 'tenant' || principal.access === 'full'
