import type { TenantStore } from './tenant-store.ts'
import type { TokenHash } from './token.ts'

export type TenantDirectoryDeps = {
  store: Pick<TenantStore, 'byCnpj' | 'byTokenHash' | 'tokens' | 'usableTokens'>
  hashToken: TokenHash
  /** Under secrets of before, which tokens may still be stored with. */
  olderHashes?: readonly TokenHash[]
  /** Told of a token's use, at most once a minute for each. */
  onUse?: (id: string, at: number) => void
  /** Epoch milliseconds. */
  now?: () => number
  /** How long a tenant is served without reading it again. For as long again it is served while it is read. */
  ttlMs?: number
  /** How long a database that did not answer is not asked again about tenants that are known. */
  retryMs?: number
  /** How long a request waits for a database before it is served with what is known. */
  patienceMs?: number
  /** How long after its time a tenant is served while the database does not answer. */
  maxStaleMs?: number
  /** How long a token that nobody has is remembered, and how many of them. */
  unknownMs?: number
  maxUnknown?: number
  /** Look-ups at one time, and of tokens never seen: at once, and a second. */
  maxInFlight?: number
  unseenBurst?: number
  unseenPerSecond?: number
}

export const directoryDefaults = {
  olderHashes: [],
  onUse: () => {},
  now: Date.now,
  ttlMs: 300_000,
  retryMs: 5_000,
  patienceMs: 1_000,
  maxStaleMs: 86_400_000,
  unknownMs: 30_000,
  maxUnknown: 10_000,
  maxInFlight: 16,
  unseenBurst: 500,
  unseenPerSecond: 100,
} satisfies Partial<TenantDirectoryDeps>
