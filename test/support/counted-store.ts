import type { TenantStore } from '../../src/tenants/tenant-store.ts'

/** Passes everything on to a real store and counts the look-ups. */
export class CountedTenantStore implements TenantStore {
  lookUps = 0
  readonly #store: TenantStore
  #gate: Promise<void> | undefined
  #read = Promise.withResolvers<void>()

  constructor(store: TenantStore) {
    this.#store = store
  }

  /** Look-ups that start from now on wait with what they have read, until the function returned is called. */
  hold(): () => void {
    const gate = Promise.withResolvers<void>()
    this.#gate = gate.promise
    this.#read = Promise.withResolvers()
    return gate.resolve
  }

  /** Resolves when a look-up that waits has read. */
  hasRead(): Promise<void> {
    return this.#read.promise
  }

  /** Look-ups that start from now on do not wait. */
  pass() {
    this.#gate = undefined
  }

  create: TenantStore['create'] = (tenant, token) => this.#store.create(tenant, token)
  byCnpj: TenantStore['byCnpj'] = (cnpj) => this.#counted(this.#store.byCnpj(cnpj))
  byTokenHash: TenantStore['byTokenHash'] = (hash) => this.#counted(this.#store.byTokenHash(hash))
  byCnpjs: TenantStore['byCnpjs'] = (cnpjs) => this.#store.byCnpjs(cnpjs)
  list: TenantStore['list'] = (page) => this.#store.list(page)
  count: TenantStore['count'] = (limit, filter) => this.#store.count(limit, filter)
  settings: TenantStore['settings'] = (cnpj) => this.#store.settings(cnpj)
  update: TenantStore['update'] = (cnpj, change, now) => this.#store.update(cnpj, change, now)
  remove: TenantStore['remove'] = (cnpj) => this.#store.remove(cnpj)
  usableTokens: TenantStore['usableTokens'] = (page) => this.#store.usableTokens(page)
  tokenPage: TenantStore['tokenPage'] = (page) => this.#store.tokenPage(page)
  tokens: TenantStore['tokens'] = (cnpjs) => this.#store.tokens(cnpjs)
  lastUses: TenantStore['lastUses'] = (cnpjs) => this.#store.lastUses(cnpjs)
  addToken: TenantStore['addToken'] = (token, at) => this.#store.addToken(token, at)
  revokeToken: TenantStore['revokeToken'] = (cnpj, id, at) => this.#store.revokeToken(cnpj, id, at)
  removeEndedTokens: TenantStore['removeEndedTokens'] = (before, limit) =>
    this.#store.removeEndedTokens(before, limit)
  touchTokens: TenantStore['touchTokens'] = (uses) => this.#store.touchTokens(uses)
  resealToken: TenantStore['resealToken'] = (from, to) => this.#store.resealToken(from, to)

  async #counted<T>(answer: Promise<T>): Promise<T> {
    this.lookUps++
    const gate = this.#gate
    const found = await answer
    this.#read.resolve()
    await gate
    return found
  }
}
