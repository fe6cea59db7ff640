import type { TenantDirectory } from './directory.ts'
import type { TenantStore } from './tenant-store.ts'

/** Told of each token that is asked for: known in memory or not, and how often the database was asked. Must not throw. */
export type CacheReport = { hit(): void; miss(): void; lookUp(): void }

/** A directory that reports; one that answers at once, if only with a refusal, had it in memory. */
export function reportedDirectory(
  directory: Pick<TenantDirectory, 'authenticate'>,
  report: CacheReport,
): Pick<TenantDirectory, 'authenticate'> {
  return {
    authenticate(token) {
      let isKnown = true
      try {
        const found = directory.authenticate(token)
        isKnown = !(found instanceof Promise)
        return found
      } finally {
        if (isKnown) report.hit()
        else report.miss()
      }
    },
  }
}

type Asked = Pick<TenantStore, 'byCnpj' | 'byTokenHash' | 'tokens' | 'usableTokens'>

/** A directory's store that reports look-ups of tokens. */
export function reportedStore(store: Asked, report: CacheReport): Asked {
  return {
    byCnpj: (cnpj) => store.byCnpj(cnpj),
    tokens: (cnpjs) => store.tokens(cnpjs),
    usableTokens: (page) => store.usableTokens(page),
    byTokenHash(hash) {
      report.lookUp()
      return store.byTokenHash(hash)
    },
  }
}
