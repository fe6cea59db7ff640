const tenantPrefix = 'CNPJ-'

/** A job's global id is its public one, `ID-7`; a tenant's is its CNPJ behind a prefix. */
export function encodeGlobalId(typename: string, id: string): string {
  return typename === 'Tenant' ? `${tenantPrefix}${id}` : id
}

/** What is not a tenant's id is taken for a job's, so that an id of no known form names nothing, as an unknown one does. */
export function decodeGlobalId(globalId: string): { typename: string; id: string } {
  if (globalId.startsWith(tenantPrefix))
    return { typename: 'Tenant', id: globalId.slice(tenantPrefix.length) }
  return { typename: 'Job', id: globalId }
}
