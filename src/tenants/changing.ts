import type { TenantInvalidation } from './invalidation.ts'

type Deps = {
  /** What this instance remembers of tenants. */
  directory: { invalidate(cnpj: string): void }
  invalidation: Pick<TenantInvalidation, 'publish'>
}

/** Makes a change to what belongs to a tenant. Passes on what `change` answers or throws. */
export type Changing = <Result>(cnpj: string, change: () => Promise<Result>) => Promise<Result>

/**
 * Has this instance and all others hear of each change whatever came back: an answer that was lost may have been a yes, and a repeat
 * that finds nothing to do may follow one that nobody was told of.
 */
export function changingAndTelling({ directory, invalidation }: Deps): Changing {
  return async (cnpj, change) => {
    try {
      return await change()
    } finally {
      directory.invalidate(cnpj)
      await invalidation.publish(cnpj)
    }
  }
}
