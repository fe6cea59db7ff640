import { Counter, Gauge, type Registry } from 'prom-client'
import type { CacheReport } from '../tenants/cache-report.ts'
import type { DirectoryStatus } from '../tenants/directory.ts'

/** The tenants in memory; `show` takes their state at a scrape. */
export function tenantCacheMetrics(registry: Registry) {
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const hits = counter('gancho_tenant_cache_hits_total', 'Tokens that were answered from memory.')
  const misses = counter('gancho_tenant_cache_misses_total', 'Tokens that the database was needed for.')
  const lookUps = counter('gancho_tenant_cache_lookups_total', 'Tokens that the database was asked for.')
  const known = new Gauge({
    ...{ name: 'gancho_tenant_cache_tenants', registers },
    help: 'Tenants in memory.',
  })
  const stale = new Gauge({
    ...{ name: 'gancho_tenant_cache_stale_seconds', registers },
    help: 'For how long tenants have been served without a database that answers; 0 while it does.',
  })
  const report: CacheReport = {
    hit: () => hits.inc(),
    miss: () => misses.inc(),
    lookUp: () => lookUps.inc(),
  }
  return {
    report,
    show({ tenants, staleSince }: DirectoryStatus, now: number) {
      known.set(tenants)
      stale.set(staleSince === null ? 0 : Math.max(0, now - staleSince) / 1_000)
    },
  }
}
