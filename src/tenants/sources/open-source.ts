import { GanchoError } from '../../errors.ts'
import { type Asking, admission } from '../admission.ts'
import type { AddressRanges } from '../sender-addresses.ts'
import type { KnownSource, SourceDirectory } from './source-directory.ts'

type Deps = { sources: Pick<SourceDirectory, 'find'>; trustedProxies?: AddressRanges | undefined }

/**
 * Finds sources, and refuses requests that their tenants' tokens would not be honoured for either.
 * @throws (by what it returns) GanchoError SOURCE_NOT_FOUND, TENANT_INACTIVE, ADDRESS_NOT_ALLOWED, OUTSIDE_ACCESS_WINDOW,
 * LOOK_UPS_BUSY or DATABASE_UNAVAILABLE
 */
export function sourceOpener({ sources, trustedProxies = [] }: Deps) {
  const admit = admission(trustedProxies, Date.now)
  return async (id: string, request: Asking): Promise<KnownSource> => {
    const known = await sources.find(id)
    if (!known.tenant.active) throw new GanchoError('TENANT_INACTIVE')
    admit(known.tenant.settings, request)
    return known
  }
}

export type OpenSource = ReturnType<typeof sourceOpener>
