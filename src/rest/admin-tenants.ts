import { z } from 'zod'
import { GanchoError } from '../errors.ts'
import { parseCnpj } from '../tenants/cnpj.ts'
import type { Tenant } from '../tenants/tenant.ts'
import type { TenantService } from '../tenants/tenant-service.ts'
import { jsonBody } from './json-body.ts'
import type { Route, RouteAnswer, RouteRequest } from './route.ts'

const defaultLimit = 50
const maxLimit = 200

const newTenant = z.object({
  cnpj: z.string('cnpj must be a text'),
  name: z.string('name must be a text'),
  active: z.boolean('active must be true or false').optional(),
})

/**
 * The administration of tenants (`/admin/clientes`). The list answers `{"clientes":[…],"next":"<cnpj>"}`, ordered by CNPJ, with at
 * most `limit` tenants (50 unless given, up to 200); `?after=<next>` asks for the following ones, and `next` is null at the end.
 */
export function adminTenantRoutes({ tenants }: { tenants: TenantService }): Route[] {
  const path = '/admin/clientes'
  const one = `${path}/:cnpj`
  const access = 'admin'
  return [
    { method: 'POST', path, access, handle: (request) => create(tenants, request) },
    { method: 'GET', path, access, handle: (request) => list(tenants, request) },
    { method: 'GET', path: one, access, handle: (request) => show(tenants, request) },
    { method: 'PATCH', path: one, access, handle: (request) => setActive(tenants, request) },
    { method: 'DELETE', path: one, access, handle: (request) => remove(tenants, request) },
  ]
}

async function create(tenants: TenantService, request: RouteRequest): Promise<RouteAnswer> {
  const input = newTenant.safeParse(jsonBody(request))
  if (!input.success)
    throw new GanchoError('BAD_REQUEST', `${input.error.issues.map((issue) => issue.message).join('; ')}.`)
  const { tenant, token, encryptedToken } = await tenants.createTenant(input.data)
  const headers = { location: `/admin/clientes/${tenant.cnpj}`, 'cache-control': 'no-store' }
  return { status: 201, headers, body: { ...shown(tenant), token, encryptedToken } }
}

async function list(tenants: TenantService, { query }: RouteRequest): Promise<RouteAnswer> {
  const limit = limitOf(query.get('limit'))
  const after = query.get('after')
  const found = await tenants.listTenants({ limit: limit + 1, ...(after ? { after: parseCnpj(after) } : {}) })
  const clientes = found.slice(0, limit)
  const next = found.length > limit ? (clientes.at(-1)?.cnpj ?? null) : null
  return { status: 200, body: { clientes: clientes.map(shown), next } }
}

async function show(tenants: TenantService, request: RouteRequest): Promise<RouteAnswer> {
  const tenant = await tenants.findTenant(cnpjOf(request))
  if (!tenant) throw new GanchoError('TENANT_NOT_FOUND')
  return { status: 200, body: shown(tenant) }
}

async function setActive(tenants: TenantService, request: RouteRequest): Promise<RouteAnswer> {
  const active = request.query.get('active')
  if (active !== 'true' && active !== 'false')
    throw new GanchoError('BAD_REQUEST', 'Say ?active=true or ?active=false.')
  return { status: 200, body: shown(await tenants.setTenantActive(cnpjOf(request), active === 'true')) }
}

async function remove(tenants: TenantService, request: RouteRequest): Promise<RouteAnswer> {
  await tenants.removeTenant(cnpjOf(request))
  return { status: 204 }
}

const cnpjOf = ({ params }: RouteRequest) => params.cnpj ?? ''

function limitOf(text: string | null): number {
  const limit = text === null ? defaultLimit : Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
    throw new GanchoError('BAD_REQUEST', `limit must be a whole number from 1 to ${maxLimit}.`)
  return limit
}

const shown = ({ createdAt, updatedAt, ...tenant }: Tenant) => ({
  ...tenant,
  createdAt: new Date(createdAt).toISOString(),
  updatedAt: new Date(updatedAt).toISOString(),
})
