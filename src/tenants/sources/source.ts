import type { SchemeOptions } from './scheme.ts'
import type { SchemeName } from './schemes.ts'

/** Where a tenant's signed events come from, without what would let anyone sign. `createdAt` is in epoch milliseconds. */
export type Source = {
  /** Unguessable; part of its address. */
  id: string
  cnpj: string
  /** What an administrator calls it. */
  name: string
  scheme: SchemeName
  options: SchemeOptions
  createdAt: number
}

/** `secrets` is their list as JSON, under the token cipher. */
export type StoredSource = Source & { secrets: string }
