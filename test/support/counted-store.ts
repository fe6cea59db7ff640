import type { TenantStore } from '../../src/tenants/tenant-store.ts'

/** Passes everything on to a real store and counts the look-ups. */
export class CountedTenantStore implements TenantStore {
  lookUps = 0
  readonly #store: TenantStore
  #gate: Promise<void> | undefined

  constructor(store: TenantStore) {
    this.#store = store
  }

  /** Look-ups that start from now on wait with what they have read, until the function returned is called. */
  hold(): () => void {
    const gate = Promise.withResolvers<void>()
    this.#gate = gate.promise
    return gate.resolve
  }

  /** Look-ups that start from now on do not wait. */
  pass() {
    this.#gate = undefined
  }

  create: TenantStore['create'] = (row) => this.#store.create(row)
  byCnpj: TenantStore['byCnpj'] = (cnpj) => this.#counted(this.#store.byCnpj(cnpj))
  byTokenHash: TenantStore['byTokenHash'] = (hash) => this.#counted(this.#store.byTokenHash(hash))
  byCnpjs: TenantStore['byCnpjs'] = (cnpjs) => this.#store.byCnpjs(cnpjs)
  list: TenantStore['list'] = (page) => this.#store.list(page)
  count: TenantStore['count'] = (limit) => this.#store.count(limit)
  setActive: TenantStore['setActive'] = (cnpj, active, now) => this.#store.setActive(cnpj, active, now)
  remove: TenantStore['remove'] = (cnpj) => this.#store.remove(cnpj)

  async #counted<T>(answer: Promise<T>): Promise<T> {
    this.lookUps++
    const gate = this.#gate
    const found = await answer
    await gate
    return found
  }
}
