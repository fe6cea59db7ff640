import type { GanchoError } from '../errors.ts'
import { toGanchoError } from '../redis/redis-error.ts'
import { type Admitted, type Claim, claimKey, type Identities } from '../tenants/identity.ts'
import type { Principal } from '../tenants/principal.ts'

/** Told when what a claim allowed is over. */
export type Watcher = { end(error: GanchoError): void }

/** Whoever came with the same claim: asked about once for all of them. */
type Group = {
  claim: Claim
  watchers: Set<Watcher>
  checkAt: number
  asking: boolean
  /** Something has changed while it was asked. */
  again: boolean
}

type Options = {
  identities: Pick<Identities, 'ask' | 'endsAt'>
  /** Epoch milliseconds. */
  now: () => number
  /** How often everybody is asked about again, whatever was heard. */
  recheckMs: number
  /** How long after a question that got no answer it is asked again. */
  retryMs: number
}

/** Asked about at one time, so that a database that comes back is not flooded. */
const maxAsking = 16
/** Over which time questions are spread when messages were lost: the tenants are read anew meanwhile. */
const lostMessagesMs = 2_000

/**
 * Claims that streams were opened by, asked about again when their tenant changes, when their time is over, and now and then. Who is
 * refused is told; who cannot be asked about stays.
 */
export class WatchedClaims {
  readonly #options: Options
  readonly #groups = new Map<string, Group>()
  #asking = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** @returns what stops watching. */
  add({ claim, principal }: Admitted, watcher: Watcher): () => void {
    const key = claimKey(claim)
    const group = this.#groups.get(key) ?? this.#newGroup(key, claim, principal)
    group.watchers.add(watcher)
    return () => {
      group.watchers.delete(watcher)
      if (group.watchers.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key)
    }
  }

  /** To be called when a tenant has changed, or with `*` when any may have. */
  tenantChanged(cnpj: string): void {
    for (const group of this.#groups.values()) {
      const { identity } = group.claim
      if (identity.kind !== 'tenant') continue
      if (cnpj === '*') group.checkAt = Math.min(group.checkAt, this.#soon())
      else if (identity.cnpj === cnpj) void this.#check(group)
    }
  }

  /** To be called several times a second. */
  tick(): void {
    const at = this.#options.now()
    for (const group of this.#groups.values()) {
      if (this.#asking >= maxAsking) return
      if (group.checkAt <= at) void this.#check(group)
    }
  }

  #soon = () => this.#options.now() + Math.random() * lostMessagesMs

  #newGroup(key: string, claim: Claim, principal: Principal): Group {
    const group: Group = { claim, watchers: new Set(), checkAt: 0, asking: false, again: false }
    group.checkAt = this.#nextCheck(claim, principal)
    this.#groups.set(key, group)
    return group
  }

  #nextCheck(claim: Claim, principal: Principal): number {
    const { identities, now, recheckMs } = this.#options
    const latest = now() + recheckMs * (0.5 + Math.random() / 2)
    return Math.min(latest, identities.endsAt(claim, principal) ?? latest)
  }

  async #check(group: Group): Promise<void> {
    group.again = group.asking
    if (group.asking) return
    group.asking = true
    this.#asking++
    try {
      const { claim } = group
      group.checkAt = this.#nextCheck(claim, await this.#options.identities.ask(claim))
    } catch (error) {
      this.#refused(group, toGanchoError(error))
    } finally {
      this.#asking--
      group.asking = false
    }
    if (group.again) await this.#check(group)
  }

  #refused(group: Group, error: GanchoError): void {
    group.checkAt = this.#options.now() + this.#options.retryMs
    // Anything else says that nobody could be asked.
    if (error.status !== 401 && error.status !== 403) return
    for (const watcher of [...group.watchers]) watcher.end(error)
  }
}
