import { hash, timingSafeEqual } from 'node:crypto'
import { GanchoError } from '../errors.ts'
import type { TenantDirectory } from './directory.ts'
import type { Tenant } from './tenant.ts'

/** Who asks. */
export type Principal = { kind: 'admin' } | { kind: 'tenant'; tenant: Tenant }

export type AuthenticatorDeps = { adminToken: string; directory: Pick<TenantDirectory, 'authenticate'> }

/**
 * Tells from the value of an `Authorization` header who asks: at once when the token is known, else by a promise.
 * @throws GanchoError UNAUTHENTICATED, TENANT_INACTIVE, DATABASE_UNAVAILABLE, at once or by the promise
 */
export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>

/** RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). No token of ours is longer than 512 characters. */
const bearer = /^Bearer +([!-~]{1,512}) *$/i
const admin: Principal = { kind: 'admin' }

export function authenticator({ adminToken, directory }: AuthenticatorDeps): Authenticate {
  const adminDigest = hash('sha256', adminToken, 'buffer')
  return (authorization) => {
    const token = bearer.exec(authorization ?? '')?.[1]
    if (token === undefined) throw new GanchoError('UNAUTHENTICATED')
    // Digests have one length, so that the comparison tells nothing about the token's.
    if (timingSafeEqual(hash('sha256', token, 'buffer'), adminDigest)) return admin
    const tenant = directory.authenticate(token)
    return tenant instanceof Promise ? tenant.then(ofTenant) : ofTenant(tenant)
  }
}

const ofTenant = (tenant: Tenant): Principal => ({ kind: 'tenant', tenant })
