import type { Principal } from '../../src/tenants/principal.ts'
import type { TenantService } from '../../src/tenants/tenant-service.ts'

export const numericCnpj = '11222333000181'
export const alphanumericCnpj = '12ABC34501DE35'
export const unusedCnpj = '00000000000191'

/** A new tenant, as its token would make it known. */
export async function newTenant(
  tenants: TenantService,
  cnpj: string,
  name: string,
): Promise<Extract<Principal, { kind: 'tenant' }>> {
  return { kind: 'tenant', tenant: (await tenants.createTenant({ cnpj, name })).tenant }
}
