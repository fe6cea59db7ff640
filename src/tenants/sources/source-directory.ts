import { GanchoError } from '../../errors.ts'
import { LookUps } from '../look-ups.ts'
import type { Tenant } from '../tenant.ts'
import type { TenantStore } from '../tenant-store.ts'
import type { TokenCipher } from '../token-cipher.ts'
import { UnknownTokens } from '../unknown-tokens.ts'
import type { Source } from './source.ts'
import type { SourceStore } from './source-store.ts'

type Deps = {
  store: Pick<SourceStore, 'byId'>
  tenants: Pick<TenantStore, 'byCnpj'>
  cipher: Pick<TokenCipher, 'decrypt'>
  /** How long a source is served without reading it again. */
  ttlMs: number
  /** Epoch milliseconds. */
  now?: () => number
}

/** A source and its tenant, active or not, with its secrets in the clear: for memory alone. */
export type KnownSource = { source: Source; tenant: Tenant; secrets: readonly string[] }
type Known = KnownSource & { freshUntil: number }

export type SourceDirectory = {
  /** @throws GanchoError SOURCE_NOT_FOUND, LOOK_UPS_BUSY, DATABASE_UNAVAILABLE, TOKEN_UNREADABLE */
  find(id: string): Promise<KnownSource>
  /** What is known of this tenant's sources serves nobody any more; `*` has all of them read again before their next use. */
  invalidate(cnpj: string): void
}

const idForm = /^src_[A-Za-z0-9_-]{32}$/

/** Sources in memory. Those that are known are served on while the database is away. */
export function sourceDirectory({ store, tenants, cipher, ttlMs, now = Date.now }: Deps): SourceDirectory {
  const known = new Map<string, Known>()
  const unknown = new UnknownTokens({ now, forMs: 30_000, max: 10_000 })
  const lookUps = new LookUps({ now, maxInFlight: 8, maxWaiting: 1_000, burst: 500, perSecond: 100 })
  let generation = 0

  async function read(id: string): Promise<KnownSource | undefined> {
    const [before, at] = [generation, now()]
    const stored = await store.byId(id)
    const tenant = stored && (await tenants.byCnpj(stored.cnpj))
    if (!stored || !tenant) {
      known.delete(id)
      return undefined
    }
    const { secrets: sealed, ...source } = stored
    const secrets: string[] = JSON.parse(cipher.decrypt(sealed))
    const found = { source, tenant, secrets, freshUntil: at + ttlMs }
    // Whoever changed it meanwhile counts on its being read again.
    if (generation === before) known.set(id, found)
    return found
  }

  async function readOrServe(id: string): Promise<KnownSource | undefined> {
    const isStranger = !known.has(id)
    try {
      return await lookUps.read(id, () => read(id), isStranger)
    } catch (error) {
      const last = known.get(id)
      if (last && error instanceof GanchoError && error.code === 'DATABASE_UNAVAILABLE') return last
      throw error
    }
  }

  return {
    async find(id) {
      const fresh = known.get(id)
      if (fresh && now() < fresh.freshUntil) return fresh
      if (!idForm.test(id) || unknown.has(id)) throw new GanchoError('SOURCE_NOT_FOUND')
      const found = await readOrServe(id)
      if (found) return found
      unknown.add(id)
      throw new GanchoError('SOURCE_NOT_FOUND')
    },
    invalidate(cnpj) {
      generation++
      lookUps.startAnew()
      for (const [id, one] of known) {
        if (cnpj === '*') one.freshUntil = Number.NEGATIVE_INFINITY
        else if (one.source.cnpj === cnpj) known.delete(id)
      }
    },
  }
}
