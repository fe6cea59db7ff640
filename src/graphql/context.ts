import type { Identity } from '../tenants/identity.ts'
import type { Principal } from '../tenants/principal.ts'
import type { Loaders } from './loaders.ts'
import type { GraphqlServices } from './services.ts'

/** What the HTTP server knows of a request before GraphQL sees it. */
export type GraphqlServerContext = {
  principal: Principal
  requestId: string
  /** The request's body, where it was read already, within its limit. */
  body?: Buffer
  /** Whom the principal's token stands for, to be asked about later. */
  identify: () => Promise<Identity>
}

/** What every resolver gets. */
export type GraphqlContext = GraphqlServerContext & {
  services: GraphqlServices
  loaders: Loaders
  /** The HTTP request; its signal is aborted when the caller is gone. */
  request: Request
  /** Longest body of an event. */
  maxEventBytes: number
}
