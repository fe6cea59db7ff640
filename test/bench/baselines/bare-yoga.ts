// The limit of GraphQL on Yoga: the same page, resolved from memory. The first argument is a file with what is to be answered.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSchema, createYoga } from 'graphql-yoga'

const data = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const schema = createSchema({
  typeDefs: /* GraphQL */ `
    scalar JSON
    type Query { jobs(first: Int): Connection! }
    type Connection { edges: [Edge!]! pageInfo: PageInfo! }
    type PageInfo { endCursor: String hasNextPage: Boolean! }
    type Edge { cursor: String! node: Job! }
    type Job {
      id: ID! eventType: String status: String! receivedAt: String! updatedAt: String! deliveredAt: String
      tenant: Tenant! attempts: [Attempt!]!
    }
    type Tenant { cnpj: String! name: String! }
    type Attempt { number: Int! startedAt: String! outcome: String! statusCode: Int responseHeaders: JSON timing: Timing! }
    type Timing { totalMs: Float! }
  `,
  resolvers: { Query: { jobs: () => data.jobs } },
})
const yoga = createYoga({ schema, logging: false, graphiql: false, landingPage: false })
const server = createServer(yoga)
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
