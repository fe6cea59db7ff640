import { setTimeout as sleep } from 'node:timers/promises'
import { GanchoError } from '../errors.ts'
import { directoryDefaults, type TenantDirectoryDeps } from './directory-options.ts'
import { type Known, KnownTokens, knownOf } from './known-tokens.ts'
import { LookUps } from './look-ups.ts'
import { Rereads } from './rereads.ts'
import type { Tenant } from './tenant.ts'
import type { StoredToken, TenantByToken } from './tenant-store.ts'
import { isSameHash } from './token.ts'
import { UnknownTokens } from './unknown-tokens.ts'

/** `staleSince` is when the database stopped answering (epoch milliseconds), null while it answers. */
export type DirectoryStatus = { tenants: number; staleSince: number | null }

/** `expiresAt`: epoch milliseconds, null for one that does not end by itself. */
export type AdmittedToken = Pick<StoredToken, 'id' | 'expiresAt'>

/** Of one token, under the newest secret first. */
type Hashes = readonly [string, ...string[]]

const pageSize = 1_000
const maxWaiting = 1_000
/** Tokens of one tenant that are read ahead; it seldom has more than two. */
const maxReadAhead = 100
const noteUseMs = 60_000

/**
 * The tenants in memory, for every request to ask. Answers at once for what it knows and reads the store for what it does not,
 * once for all who wait. While the database is down or slow, known tenants are served on.
 */
export class TenantDirectory {
  readonly #deps: Required<TenantDirectoryDeps>
  readonly #known = new KnownTokens()
  readonly #unknown: UnknownTokens
  readonly #lookUps: LookUps
  /** Rises with each invalidation: what was read before one is not kept after it. */
  #generation = 0
  /** Of tenants that have changed. */
  readonly #rereads = new Rereads()
  #loading: Promise<void> | undefined
  #loadAgain = false
  /** Told to have changed while a page is read, `*` for all: what was read of these is not kept. */
  readonly #changedMeanwhile = new Set<string>()
  #staleSince: number | null = null
  #askAgainAt = Number.NEGATIVE_INFINITY

  constructor(deps: TenantDirectoryDeps) {
    this.#deps = { ...directoryDefaults, ...deps }
    const { now, unknownMs, maxUnknown, maxInFlight, unseenBurst, unseenPerSecond } = this.#deps
    this.#unknown = new UnknownTokens({ now, forMs: unknownMs, max: maxUnknown })
    this.#lookUps = new LookUps({
      ...{ now, maxInFlight, maxWaiting },
      ...{ burst: unseenBurst, perSecond: unseenPerSecond },
    })
  }

  /** Reads all tokens in use ahead of their first request. @throws GanchoError DATABASE_UNAVAILABLE */
  load(): Promise<void> {
    this.#loading ??= this.#loadAll().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  status(): DirectoryStatus {
    return { tenants: this.#known.tenants, staleSince: this.#staleSince }
  }

  /**
   * The active tenant with this token: at once when it is known, else a promise of it. What it throws, it throws or rejects with
   * in the same two ways.
   * @throws GanchoError UNAUTHENTICATED, TENANT_INACTIVE, for a token it does not know also DATABASE_UNAVAILABLE and LOOK_UPS_BUSY
   */
  authenticate(token: string): Tenant | Promise<Tenant> {
    const newest = this.#deps.hashToken(token)
    const hashes: Hashes = [newest, ...this.#deps.olderHashes.map((hashOf) => hashOf(token))]
    const known = hashes.map((hash) => this.#known.byHash(hash)).find((one) => one !== undefined)
    // With all of them: `reencrypt` moves a token from one secret to another, whichever of them is the newest here.
    if (known) return this.#authenticateKnown(known, hashes)
    if (this.#unknown.has(newest)) throw new GanchoError('UNAUTHENTICATED')
    return this.#authenticateFromStore(hashes, undefined)
  }

  /** As `authenticate`, by the id of one of this tenant's tokens. */
  authenticateById(cnpj: string, id: string): Tenant | Promise<Tenant> {
    const known = this.#known.byId(cnpj, id)
    if (!known) return this.#authenticateStored(cnpj, id)
    const found = this.#authenticateKnown(known, [known.token.hash])
    if (!(found instanceof Promise)) return found
    // `reencrypt` may have given it another hash.
    return found.catch((error: unknown) => {
      if ((error as GanchoError).code !== 'UNAUTHENTICATED') throw error
      return this.#authenticateStored(cnpj, id)
    })
  }

  /** Of a token that `authenticate` has admitted; undefined when it was forgotten since. */
  tokenOf(token: string): AdmittedToken | undefined {
    const { hashToken, olderHashes } = this.#deps
    for (const hashOf of [hashToken, ...olderHashes]) {
      const known = this.#known.byHash(hashOf(token))
      if (known) return known.token
    }
    return undefined
  }

  /** What is known of a token without asking. */
  tokenById(cnpj: string, id: string): AdmittedToken | undefined {
    return this.#known.byId(cnpj, id)?.token
  }

  /** The tenant, active or not. @throws GanchoError DATABASE_UNAVAILABLE for one it does not know */
  async find(cnpj: string): Promise<Tenant | null> {
    const known = this.#known.byCnpj(cnpj)
    if (known && !known.changed && this.#deps.now() < known.freshUntil) return known.tenant
    try {
      return await this.#deps.store.byCnpj(cnpj)
    } catch (error) {
      if (known && isOfDatabase(error) && this.#mayServeStale(known)) return known.tenant
      throw error
    }
  }

  /**
   * Has a tenant that has changed be read again before its next use. `*` stands for "some may have changed": all are read again,
   * but served on in case the database is down.
   */
  invalidate(cnpj: string): void {
    this.#generation++
    if (this.#loading) this.#changedMeanwhile.add(cnpj)
    this.#lookUps.startAnew()
    if (cnpj === '*') this.#doubtAll()
    else this.#readAhead(cnpj)
  }

  /** The first use of a new token would be a stranger's otherwise, of which a flood of bad ones leaves few. */
  #readAhead(cnpj: string): void {
    this.#known.markChanged(cnpj)
    const { store, now, ttlMs } = this.#deps
    const reading = this.#rereads.read(cnpj, async (isOutdated) => {
      const at = now()
      const read = () => store.usableTokens({ cnpj, limit: maxReadAhead, now: at })
      const found = await this.#lookUps.read(`of ${cnpj}`, read, false)
      this.#noteAnswer()
      const tokens = found.map((one) => knownOf(one, at, at + ttlMs))
      if (!isOutdated()) this.#known.replace(cnpj, tokens)
    })
    // What could not be read now is read at its next use.
    reading.catch((error: unknown) => isBusy(error) || this.#noteOutage())
  }

  #doubtAll(): void {
    this.#rereads.outdateAll()
    this.#unknown.clear()
    this.#known.doubtAll()
    this.#loadAgain = this.#loading !== undefined
    this.load().catch(() => this.#noteOutage())
  }

  async #loadAll(): Promise<void> {
    do {
      this.#loadAgain = false
      await this.#loadPages()
    } while (this.#loadAgain)
  }

  async #loadPages(): Promise<void> {
    const { store, now, ttlMs } = this.#deps
    for (let after: string | undefined; ; ) {
      const changed = this.#changedMeanwhile
      changed.clear()
      const at = now()
      const page = await store.usableTokens({ limit: pageSize, now: at, after })
      this.#noteAnswer()
      const kept = page.filter(({ tenant }) => !changed.has('*') && !changed.has(tenant.cnpj))
      for (const found of kept) this.#known.keep(knownOf(found, at, at + ttlMs))
      after = page.at(-1)?.token.hash
      if (page.length < pageSize) return
    }
  }

  #authenticateKnown(known: Known, hashes: Hashes): Tenant | Promise<Tenant> {
    const { now, ttlMs } = this.#deps
    const at = now()
    if (known.changed) return this.#authenticateFromStore(hashes, known)
    if (at < known.freshUntil) return this.#admitted(known, hashes)
    if (at < this.#askAgainAt && this.#mayServeStale(known)) return this.#admitted(known, hashes)
    const doubted = known.freshUntil === Number.NEGATIVE_INFINITY
    if (doubted || at - known.readAt >= 2 * ttlMs) return this.#authenticateWithPatience(hashes, known)
    // Behind the answer; what it finds is for the next request, and a failure shows in the status.
    this.#read(hashes, known).catch(() => {})
    return this.#admitted(known, hashes)
  }

  async #authenticateStored(cnpj: string, id: string): Promise<Tenant> {
    const tokens = await this.#lookUps.read(`tokens of ${cnpj}`, () => this.#tokensOf(cnpj), false)
    const stored = tokens.find((token) => token.id === id && token.revokedAt === null)
    if (!stored) throw new GanchoError('UNAUTHENTICATED')
    return this.#authenticateFromStore([stored.hash], undefined)
  }

  #tokensOf(cnpj: string): Promise<StoredToken[]> {
    return this.#deps.store.tokens([cnpj]).catch((cause) => {
      throw isOfDatabase(cause) ? cause : new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })
    })
  }

  async #authenticateFromStore(hashes: Hashes, known: Known | undefined): Promise<Tenant> {
    const generation = this.#generation
    const found = await this.#read(hashes, known)
    if (found) return this.#admitted(found, hashes)
    if (generation === this.#generation) this.#unknown.add(hashes[0])
    throw new GanchoError('UNAUTHENTICATED')
  }

  /** For what is known, but for too long: the database has its chance, and the request does not wait for more than that. */
  async #authenticateWithPatience(hashes: Hashes, known: Known): Promise<Tenant> {
    const timer = new AbortController()
    const reading = this.#authenticateFromStore(hashes, known).catch((error: unknown) => {
      // That others wait for their turn says nothing about the database, and what it says of itself has been noted.
      if (isOfDatabase(error) && this.#mayServeStale(known)) return this.#admitted(known, hashes)
      throw error
    })
    const late = sleep(this.#deps.patienceMs, undefined, { signal: timer.signal }).catch(() => undefined)
    const tenant = await Promise.race([reading, late]).finally(() => timer.abort())
    if (tenant) return tenant
    if (!this.#mayServeStale(known)) return reading
    reading.catch(() => {})
    this.#noteOutage()
    return this.#admitted(known, hashes)
  }

  async #read(hashes: Hashes, known: Known | undefined): Promise<Known | null> {
    // One request asks for all, while the database does not answer.
    if (known && this.#staleSince !== null) this.#askAgainAt = this.#deps.now() + this.#deps.retryMs
    return this.#lookUps.read(hashes[0], () => this.#readNow(hashes, known), known === undefined)
  }

  async #readNow(hashes: Hashes, known: Known | undefined): Promise<Known | null> {
    const generation = this.#generation
    const at = this.#deps.now()
    try {
      const found = await this.#firstFound(hashes)
      this.#noteAnswer()
      const read = found && knownOf(found, at, at + this.#deps.ttlMs)
      if (generation !== this.#generation) return read
      if (known && read?.token.hash !== known.token.hash) this.#known.drop(known)
      if (read) this.#known.keep(read)
      return read
    } catch (cause) {
      this.#noteOutage()
      // Whatever the database says instead of an answer: who is known is served on, and nobody hears 401 for it.
      throw isOfDatabase(cause) ? cause : new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })
    }
  }

  async #firstFound(hashes: Hashes): Promise<TenantByToken | null> {
    for (const hash of hashes) {
      const found = await this.#deps.store.byTokenHash(hash)
      if (found) return found
    }
    // Between two questions `reencrypt` may have moved the token from an older secret to the newest.
    return hashes.length > 1 ? this.#deps.store.byTokenHash(hashes[0]) : null
  }

  #admitted(known: Known, hashes: Hashes): Tenant {
    // A map compares in its own time; this comparison is the one that lets somebody in.
    if (!hashes.some((hash) => isSameHash(hash, known.token.hash))) throw new GanchoError('UNAUTHENTICATED')
    const at = this.#deps.now()
    const { id, expiresAt } = known.token
    if (expiresAt !== null && at >= expiresAt) throw new GanchoError('UNAUTHENTICATED')
    if (!known.tenant.active) throw new GanchoError('TENANT_INACTIVE')
    if (at - known.usedAt >= noteUseMs) {
      known.usedAt = at
      this.#deps.onUse(id, at)
    }
    return known.tenant
  }

  #mayServeStale({ changed, readAt }: Known): boolean {
    const { now, ttlMs, maxStaleMs } = this.#deps
    return !changed && now() - readAt < ttlMs + maxStaleMs
  }

  #noteAnswer(): void {
    this.#staleSince = null
    this.#askAgainAt = Number.NEGATIVE_INFINITY
  }

  #noteOutage(): void {
    const at = this.#deps.now()
    this.#staleSince ??= at
    this.#askAgainAt = at + this.#deps.retryMs
  }
}

const isBusy = (error: unknown) => error instanceof GanchoError && error.code === 'LOOK_UPS_BUSY'

const isOfDatabase = (error: unknown) =>
  isBusy(error) || (error instanceof GanchoError && error.code === 'DATABASE_UNAVAILABLE')
