import DataLoader from 'dataloader'
import type { QueueCounts } from '../delivery/queue-overview.ts'
import type { Attempt, Job } from '../events/job.ts'
import type { Principal } from '../tenants/principal.ts'
import type { Source } from '../tenants/sources/source.ts'
import type { Tenant, TenantToken } from '../tenants/tenant.ts'
import type { GraphqlServices } from './services.ts'

/** Collects what the resolvers of one request ask for, so that each kind of thing is read once for all of them. */
export type Loaders = {
  /** Null for what the principal may not see, as for what is not there. */
  job: DataLoader<number, Job | null>
  attempts: DataLoader<number, Attempt[]>
  body: DataLoader<number, Buffer | null>
  tenant: DataLoader<string, Tenant | null>
  /** When a tenant last used one of its tokens or sources, epoch milliseconds. */
  lastUse: DataLoader<string, number | null>
  tokens: DataLoader<string, TenantToken[]>
  sources: DataLoader<string, Source[]>
  queueCounts: DataLoader<string, QueueCounts>
}

/** Bodies are up to a megabyte each, and are kept until the request is over. */
const bodiesPerRead = 50

/** Loaders of one request: what they read, they keep. */
export function createLoaders(services: GraphqlServices, principal: Principal): Loaders {
  const { jobs, tenants, sources, tenantStore, queueOverview } = services
  const tenant = new DataLoader<string, Tenant | null>(async (cnpjs) => {
    const found = new Map((await tenantStore.byCnpjs(cnpjs)).map((one) => [one.cnpj, one]))
    return cnpjs.map((cnpj) => found.get(cnpj) ?? null)
  })
  if (principal.kind === 'tenant') tenant.prime(principal.tenant.cnpj, principal.tenant)
  return {
    tenant,
    lastUse: new DataLoader(async (cnpjs) => {
      const found = new Map((await tenantStore.lastUses(cnpjs)).map(({ cnpj, at }) => [cnpj, at]))
      return cnpjs.map((cnpj) => found.get(cnpj) ?? null)
    }),
    tokens: new DataLoader(async (cnpjs) => {
      const found = Map.groupBy(await tenants.tokensOf(cnpjs), ({ cnpj }) => cnpj)
      return cnpjs.map((cnpj) => found.get(cnpj) ?? [])
    }),
    sources: new DataLoader(async (cnpjs) => {
      const found = Map.groupBy(await sources.sourcesOf(cnpjs), ({ cnpj }) => cnpj)
      return cnpjs.map((cnpj) => found.get(cnpj) ?? [])
    }),
    job: new DataLoader(async (ns) => {
      const visible = (await jobs.jobs(ns)).filter((job) => maySee(principal, job.cnpj))
      const found = new Map(visible.map((job) => [job.n, job]))
      return ns.map((n) => found.get(n) ?? null)
    }),
    attempts: new DataLoader(async (ns) => {
      const found = await jobs.attempts(ns)
      return ns.map((n) => found.get(n) ?? [])
    }),
    body: new DataLoader(
      async (ns) => {
        const found = await jobs.bodies(ns)
        return ns.map((n) => found.get(n) ?? null)
      },
      { maxBatchSize: bodiesPerRead },
    ),
    queueCounts: new DataLoader((names) => Promise.all(names.map((name) => queueOverview.counts(name)))),
  }
}

/** Whether this principal may see what belongs to the tenant with this CNPJ. */
export const maySee = (principal: Principal, cnpj: string) =>
  principal.kind === 'admin' || principal.tenant.cnpj === cnpj
