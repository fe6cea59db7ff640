/** A client of the platform. Times are epoch milliseconds. */
export type Tenant = {
  /** 14 characters, upper case, no punctuation. */
  cnpj: string
  name: string
  active: boolean
  createdAt: number
  updatedAt: number
}
