import type { StoredSource } from './source.ts'

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. A tenant that is removed takes its sources with it. */
export interface SourceStore {
  /** @throws GanchoError TENANT_NOT_FOUND */
  create(source: StoredSource): Promise<void>
  byId(id: string): Promise<StoredSource | null>
  /** Oldest first, 100 at most. */
  ofTenant(cnpj: string): Promise<StoredSource[]>
  /** In order of their ids. */
  all(): Promise<StoredSource[]>
  /** @returns whether there is such a source. */
  setSecrets(id: string, secrets: string): Promise<boolean>
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>
}
