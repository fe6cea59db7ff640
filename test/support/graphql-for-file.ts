import { afterAll } from 'vitest'
import { operationOpener } from '../../src/graphql/open-operation.ts'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { admin, graphqlClient } from './graphql-client.ts'
import { operationClient } from './operations.ts'
import { openTestServices } from './services.ts'
import { newTenant, numericCnpj } from './tenants.ts'

/** Services for the tests of one file, and who asks them: an administrator by both ways, and a tenant that subscribes. */
export async function graphqlForFile() {
  const services = await openTestServices()
  afterAll(() => services.close())
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  const open = operationOpener({ graphql: endpoint, services, log: console })
  const principal = await newTenant(services.tenants, numericCnpj, 'One')
  return {
    services,
    client: graphqlClient(endpoint, admin),
    administrator: operationClient(open, admin),
    tenant: operationClient(open, principal),
  }
}
