import type { Use } from '../last-uses.ts'
import type { StoredSource } from './source.ts'

/** Rises with each change of a source's secrets. */
export type SecretsVersion = { secretsVersion: number }

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. A tenant that is removed takes its sources with it. */
export interface SourceStore {
  /** @throws GanchoError TENANT_NOT_FOUND */
  create(source: StoredSource): Promise<void>
  byId(id: string): Promise<StoredSource | null>
  /** Of these tenants, oldest first, 100 of each at most. */
  ofTenants(cnpjs: readonly string[]): Promise<StoredSource[]>
  /** In order of their ids. */
  all(): Promise<(StoredSource & SecretsVersion)[]>
  /** With a version only while the secrets have it. @returns whether there is such a source, and its secrets were replaced. */
  setSecrets(id: string, secrets: string, version?: number): Promise<boolean>
  /** Writes when sources were last used; an earlier moment changes nothing, nor does an unknown id. */
  touch(uses: readonly Use[]): Promise<void>
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>
}
