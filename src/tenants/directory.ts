import { timingSafeEqual } from 'node:crypto'
import { GanchoError } from '../errors.ts'
import type { Tenant } from './tenant.ts'
import type { TenantRow, TenantStore } from './tenant-store.ts'
import type { TokenHash } from './token.ts'
import { UnknownTokens } from './unknown-tokens.ts'

export type TenantDirectoryDeps = {
  store: TenantStore
  hashToken: TokenHash
  /** Epoch milliseconds. */
  now?: () => number
  /** How long a tenant is served without reading it again. */
  ttlMs?: number
  /** How long a tenant is served on, beyond that, before a database that was down is asked again. */
  retryMs?: number
  /** How long a token that nobody has is remembered, and how many of them. */
  unknownMs?: number
  maxUnknown?: number
}

type Entry = { tenant: Tenant; tokenHash: string; digest: Buffer; staleAt: number }

const pageSize = 500

/**
 * The tenants in memory, for every request to ask. Answers at once for what it knows and reads the store for what it does not,
 * once for all who wait. While the database is down, known tenants are served on.
 */
export class TenantDirectory {
  readonly #store: TenantStore
  readonly #hashToken: TokenHash
  readonly #now: () => number
  readonly #ttlMs: number
  readonly #retryMs: number
  readonly #unknown: UnknownTokens
  readonly #byHash = new Map<string, Entry>()
  readonly #byCnpj = new Map<string, Entry>()
  readonly #reads = new Map<string, Promise<Entry | null>>()
  /** Rises with each invalidation: what was read before one is not kept after it. */
  #generation = 0

  constructor(deps: TenantDirectoryDeps) {
    const { now = Date.now, ttlMs = 300_000, retryMs = 5_000, unknownMs = 30_000, maxUnknown = 10_000 } = deps
    this.#store = deps.store
    this.#hashToken = deps.hashToken
    this.#now = now
    this.#ttlMs = ttlMs
    this.#retryMs = retryMs
    this.#unknown = new UnknownTokens({ now, forMs: unknownMs, max: maxUnknown })
  }

  /** Reads all active tenants ahead of their first request. @throws GanchoError DATABASE_UNAVAILABLE */
  async load(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const generation = this.#generation
      const rows = await this.#store.list({ limit: pageSize, ...(after === undefined ? {} : { after }) })
      if (generation === this.#generation)
        for (const row of rows) if (row.active) this.#keep(entryOf(row, this.#fresh()))
      after = rows.at(-1)?.cnpj
      if (rows.length < pageSize) return
    }
  }

  /**
   * The active tenant with this token: at once when it is known, else a promise of it. What it throws, it throws or rejects with
   * in the same two ways.
   * @throws GanchoError UNAUTHENTICATED, TENANT_INACTIVE, or DATABASE_UNAVAILABLE for a token it does not know
   */
  authenticate(token: string): Tenant | Promise<Tenant> {
    const hash = this.#hashToken(token)
    const known = this.#byHash.get(hash)
    if (known && this.#now() < known.staleAt) return admitted(known, hash)
    if (!known && this.#unknown.has(hash)) throw new GanchoError('UNAUTHENTICATED')
    return this.#authenticateFromStore(hash, known)
  }

  /** The tenant, active or not: at once when it is known. @throws GanchoError DATABASE_UNAVAILABLE for one it does not know */
  find(cnpj: string): Tenant | null | Promise<Tenant | null> {
    const known = this.#byCnpj.get(cnpj)
    if (known && this.#now() < known.staleAt) return known.tenant
    return this.#read(`cnpj ${cnpj}`, () => this.#store.byCnpj(cnpj), known).then(
      (entry) => entry?.tenant ?? null,
    )
  }

  /**
   * Forgets a tenant that has changed. `*` makes every tenant be read again before its next use, but keeps them in case the
   * database is down, because it stands for "some may have changed".
   */
  invalidate(cnpj: string): void {
    this.#generation++
    this.#reads.clear()
    if (cnpj === '*') this.#doubtAll()
    else this.#drop(this.#byCnpj.get(cnpj))
  }

  async #authenticateFromStore(hash: string, known: Entry | undefined): Promise<Tenant> {
    const generation = this.#generation
    const entry = await this.#read(`token ${hash}`, () => this.#store.byTokenHash(hash), known)
    if (entry) return admitted(entry, hash)
    if (generation === this.#generation) this.#unknown.add(hash)
    throw new GanchoError('UNAUTHENTICATED')
  }

  #read(
    key: string,
    fetch: () => Promise<TenantRow | null>,
    known: Entry | undefined,
  ): Promise<Entry | null> {
    const running = this.#reads.get(key)
    if (running) return running
    const reading = this.#readNow(fetch, known).finally(() => {
      if (this.#reads.get(key) === reading) this.#reads.delete(key)
    })
    this.#reads.set(key, reading)
    return reading
  }

  async #readNow(fetch: () => Promise<TenantRow | null>, known: Entry | undefined): Promise<Entry | null> {
    const generation = this.#generation
    try {
      const row = await fetch()
      const entry = row && entryOf(row, this.#fresh())
      if (generation !== this.#generation) return entry
      if (entry) this.#keep(entry)
      else this.#drop(known)
      return entry
    } catch (error) {
      const serveOn = known && isDatabaseDown(error) && this.#byHash.get(known.tokenHash) === known
      if (!serveOn) throw error
      known.staleAt = this.#now() + this.#retryMs
      return known
    }
  }

  #doubtAll() {
    this.#unknown.clear()
    for (const entry of this.#byCnpj.values()) entry.staleAt = Number.NEGATIVE_INFINITY
  }

  #fresh(): number {
    return this.#now() + this.#ttlMs
  }

  #keep(entry: Entry) {
    this.#drop(this.#byCnpj.get(entry.tenant.cnpj))
    this.#byCnpj.set(entry.tenant.cnpj, entry)
    this.#byHash.set(entry.tokenHash, entry)
  }

  #drop(entry: Entry | undefined) {
    if (!entry) return
    if (this.#byCnpj.get(entry.tenant.cnpj) === entry) this.#byCnpj.delete(entry.tenant.cnpj)
    if (this.#byHash.get(entry.tokenHash) === entry) this.#byHash.delete(entry.tokenHash)
  }
}

function entryOf({ tokenHash, encryptedToken: _, ...tenant }: TenantRow, staleAt: number): Entry {
  return { tenant, tokenHash, digest: Buffer.from(tokenHash), staleAt }
}

function admitted(entry: Entry, hash: string): Tenant {
  const digest = Buffer.from(hash)
  // A map compares in its own time; this comparison is the one that lets somebody in.
  const same = digest.length === entry.digest.length && timingSafeEqual(digest, entry.digest)
  if (!same) throw new GanchoError('UNAUTHENTICATED')
  if (!entry.tenant.active) throw new GanchoError('TENANT_INACTIVE')
  return entry.tenant
}

const isDatabaseDown = (error: unknown) =>
  error instanceof GanchoError && error.code === 'DATABASE_UNAVAILABLE'
