import { setTimeout as sleep } from 'node:timers/promises'
import { GanchoError } from '../../errors.ts'
import { LookUps } from '../look-ups.ts'
import { Rereads } from '../rereads.ts'
import type { Tenant } from '../tenant.ts'
import type { TenantStore } from '../tenant-store.ts'
import type { TokenCipher } from '../token-cipher.ts'
import { UnknownTokens } from '../unknown-tokens.ts'
import type { Source, StoredSource } from './source.ts'
import type { SourceStore } from './source-store.ts'

type Deps = {
  store: Pick<SourceStore, 'byId' | 'ofTenants'>
  tenants: Pick<TenantStore, 'byCnpj'>
  cipher: Pick<TokenCipher, 'decrypt'>
  /** How long a source is served without reading it again. */
  ttlMs: number
  /** How long a database that did not answer is not asked again about sources that are known. */
  retryMs?: number
  /** How long a request waits for a database before it is served with what is known. */
  patienceMs?: number
  /** How long after its time a source is served while the database does not answer. */
  maxStaleMs?: number
  /** Epoch milliseconds. */
  now?: () => number
}

/** A source and its tenant, active or not, with its secrets in the clear: for memory alone. */
export type KnownSource = { source: Source; tenant: Tenant; secrets: readonly string[] }
type Known = KnownSource & {
  freshUntil: number
  servedUntil: number
  /** Told to have changed: what is known of it serves nobody any more. */
  changed: boolean
}

export type SourceDirectory = {
  /** @throws GanchoError SOURCE_NOT_FOUND, LOOK_UPS_BUSY, DATABASE_UNAVAILABLE, TOKEN_UNREADABLE */
  find(id: string): Promise<KnownSource>
  /** What is known of this tenant's sources serves nobody any more; `*` has all of them read again before their next use. */
  invalidate(cnpj: string): void
}

const idForm = /^src_[A-Za-z0-9_-]{32}$/
const defaults = { retryMs: 5_000, patienceMs: 1_000, maxStaleMs: 86_400_000, now: Date.now }

/** Sources in memory. Those that are known are served on while the database is away or slow. */
export function sourceDirectory(deps: Deps): SourceDirectory {
  const { store, tenants, cipher, ttlMs, retryMs, patienceMs, maxStaleMs, now } = { ...defaults, ...deps }
  const known = new Map<string, Known>()
  const unknown = new UnknownTokens({ now, forMs: 30_000, max: 10_000 })
  const lookUps = new LookUps({ now, maxInFlight: 8, maxWaiting: 1_000, burst: 500, perSecond: 100 })
  /** Of tenants that have changed. */
  const rereads = new Rereads()
  let generation = 0
  let askAgainAt = Number.NEGATIVE_INFINITY

  async function asked<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await question()
      askAgainAt = Number.NEGATIVE_INFINITY
      return answer
    } catch (cause) {
      askAgainAt = now() + retryMs
      // Whatever the database says instead of an answer: nobody hears for it that there is no such source.
      throw isOfDatabase(cause) ? cause : new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })
    }
  }

  async function read(id: string): Promise<KnownSource | undefined> {
    const [before, at] = [generation, now()]
    const row = await asked(async () => {
      const source = await store.byId(id)
      const tenant = source && (await tenants.byCnpj(source.cnpj))
      return source && tenant && { source, tenant }
    })
    if (!row) {
      known.delete(id)
      return undefined
    }
    const found = opened(row)
    // Whoever changed it meanwhile counts on its being read again.
    if (generation === before) keep(found, at)
    return found
  }

  /** The first use of a new source would be a stranger's otherwise, of which a flood of unknown ones leaves few. */
  function readAhead(cnpj: string): void {
    const read = async () => {
      const sources = await store.ofTenants([cnpj])
      const tenant = sources.length > 0 ? await tenants.byCnpj(cnpj) : null
      return tenant ? sources.map((source) => ({ source, tenant })) : []
    }
    const reading = rereads.read(cnpj, async (isOutdated) => {
      const at = now()
      const rows = await lookUps.read(`of ${cnpj}`, () => asked(read), false)
      if (!isOutdated()) for (const row of rows) keep(opened(row), at)
    })
    reading.catch(() => undefined) // What could not be read now is read at its next use.
  }

  function opened({ source: stored, tenant }: { source: StoredSource; tenant: Tenant }): KnownSource {
    const { secrets: sealed, ...source } = stored
    return { source, tenant, secrets: JSON.parse(cipher.decrypt(sealed)) }
  }

  function keep(found: KnownSource, readAt: number): void {
    const freshUntil = readAt + ttlMs
    known.set(found.source.id, { ...found, freshUntil, servedUntil: freshUntil + maxStaleMs, changed: false })
  }

  const mayServe = (id: string, last: Known) =>
    known.get(id) === last && !last.changed && now() < last.servedUntil

  /** The database has its chance, and the request does not wait for more than that. */
  async function readOrServe(id: string, last: Known): Promise<KnownSource | undefined> {
    if (now() < askAgainAt && mayServe(id, last)) return last
    const reading = lookUps
      .read(id, () => read(id), false)
      .catch((error: unknown) => {
        if (isOfDatabase(error) && mayServe(id, last)) return last
        throw error
      })
    if (!mayServe(id, last)) return reading
    const timer = new AbortController()
    const late = sleep<'late'>(patienceMs, 'late', { signal: timer.signal }).catch(() => 'late' as const)
    const found = await Promise.race([reading, late]).finally(() => timer.abort())
    if (found !== 'late') return found
    if (!mayServe(id, last)) return reading
    reading.catch(() => undefined) // It is for the next request.
    askAgainAt = now() + retryMs
    return last
  }

  return {
    async find(id) {
      const last = known.get(id)
      if (last && !last.changed && now() < last.freshUntil) return last
      if (!idForm.test(id) || unknown.has(id)) throw new GanchoError('SOURCE_NOT_FOUND')
      const found = await (last ? readOrServe(id, last) : lookUps.read(id, () => read(id), true))
      if (found) return found
      unknown.add(id)
      throw new GanchoError('SOURCE_NOT_FOUND')
    },
    invalidate(cnpj) {
      generation++
      lookUps.startAnew()
      for (const one of known.values()) {
        if (cnpj === '*') one.freshUntil = Number.NEGATIVE_INFINITY
        else if (one.source.cnpj === cnpj) one.changed = true
      }
      if (cnpj === '*') rereads.outdateAll()
      else readAhead(cnpj)
    },
  }
}

const isOfDatabase = (error: unknown) =>
  error instanceof GanchoError && (error.code === 'DATABASE_UNAVAILABLE' || error.code === 'LOOK_UPS_BUSY')
