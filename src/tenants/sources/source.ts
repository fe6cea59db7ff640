import type { SchemeOptions } from './scheme.ts'
import type { SchemeName } from './schemes.ts'

/** Where a tenant's signed events come from, without what would let anyone sign. Times are epoch milliseconds. */
export type Source = {
  /** Unguessable; part of its address. */
  id: string
  cnpj: string
  /** What an administrator calls it. */
  name: string
  scheme: SchemeName
  options: SchemeOptions
  createdAt: number
  /** Coarse: when a request was last signed by one of its secrets. */
  lastUsedAt: number | null
}

/** `secrets` is their list as JSON, under the token cipher. */
export type StoredSource = Source & { secrets: string }
