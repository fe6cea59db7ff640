import type { Tenant } from './tenant.ts'
import type { TenantByToken } from './tenant-store.ts'

/** A token and its tenant, as read at one moment. */
export type Known = {
  tenant: Tenant
  token: TenantByToken['token']
  readAt: number
  /** Served without asking before this moment. */
  freshUntil: number
  /** Told to have changed: what is known of it serves nobody any more. */
  changed: boolean
  /** When its use was last noted. */
  usedAt: number
}

export const knownOf = ({ tenant, token }: TenantByToken, readAt: number, freshUntil: number): Known => ({
  ...{ tenant, token, readAt, freshUntil },
  changed: false,
  usedAt: Number.NEGATIVE_INFINITY,
})

/** What is known of tokens, by their hashes and by their tenants. */
export class KnownTokens {
  readonly #byHash = new Map<string, Known>()
  readonly #byCnpj = new Map<string, Known[]>()

  get tenants(): number {
    return this.#byCnpj.size
  }

  byHash(hash: string): Known | undefined {
    return this.#byHash.get(hash)
  }

  /** What was read last by one of this tenant's tokens. */
  byCnpj(cnpj: string): Known | undefined {
    return this.#byCnpj.get(cnpj)?.at(-1)
  }

  byId(cnpj: string, id: string): Known | undefined {
    return this.#byCnpj.get(cnpj)?.find(({ token }) => token.id === id)
  }

  /** Instead of what was known of this token. */
  keep(known: Known): void {
    const { tenant, token } = known
    const before = this.#byHash.get(token.hash)
    if (before) {
      known.usedAt = before.usedAt
      this.drop(before)
    }
    this.#byHash.set(token.hash, known)
    this.#byCnpj.set(tenant.cnpj, [...(this.#byCnpj.get(tenant.cnpj) ?? []), known])
  }

  /** These are all usable tokens of the tenant: what was known of others is of no more use. */
  replace(cnpj: string, tokens: readonly Known[]): void {
    for (const token of tokens) this.keep(token)
    for (const known of this.#byCnpj.get(cnpj) ?? []) if (!tokens.includes(known)) this.drop(known)
  }

  drop(known: Known): void {
    const { tenant, token } = known
    if (this.#byHash.get(token.hash) !== known) return
    this.#byHash.delete(token.hash)
    const others = (this.#byCnpj.get(tenant.cnpj) ?? []).filter((one) => one !== known)
    if (others.length > 0) this.#byCnpj.set(tenant.cnpj, others)
    else this.#byCnpj.delete(tenant.cnpj)
  }

  markChanged(cnpj: string): void {
    for (const known of this.#byCnpj.get(cnpj) ?? []) known.changed = true
  }

  /** Has all of them asked for again before their next use. */
  doubtAll(): void {
    for (const known of this.#byHash.values()) known.freshUntil = Number.NEGATIVE_INFINITY
  }
}
