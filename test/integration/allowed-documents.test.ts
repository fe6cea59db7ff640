import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documentHash as hash } from '../../src/graphql/persisted-documents.ts'
import { endingOf, openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'
import { type SendOver, transports } from '../support/graphql-transports.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const names = ['HTTP', 'an event stream', 'a WebSocket'] as const
const listed = 'query Me { viewer { kind } }'
const ticketDocument = 'mutation { createStreamTicket { ticket } }'
const watch = 'subscription Watch { jobEvents { __typename } }'
const other = '{ viewer { name } }'
const persisted = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let fleet: Fleet
let gateway: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>
let tenant: Record<(typeof names)[number], SendOver>
let admin: Record<(typeof names)[number], SendOver>

beforeAll(async () => {
  folder = await temporaryFolder()
  const file = join(folder.path, 'documents.json')
  const documents = [listed, ticketDocument, watch].map((text) => [hash(text), text])
  await writeFile(file, JSON.stringify(Object.fromEntries(documents)))
  const env = { ALLOWED_DOCUMENTS_FILE: file, GRAPHQL_INTROSPECTION: 'true' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  gateway = await fleet.start('gateway')
  clients = await clientsOf(gateway)
  tenant = transports({ origin: gateway.origin, token: clients.token })
  admin = transports({ origin: gateway.origin, token: adminToken })
})
afterAll(async () => {
  await fleet.close()
  await folder.remove()
})

describe.each(names)('with a list of documents, over %s', (name) => {
  test('a tenant sends those by their text or their hash, and no others', async () => {
    expect(await tenant[name]({ query: listed })).toEqual([])
    expect(await tenant[name]({ query: '', ...persisted(hash(listed)) })).toEqual([])
    const refused = [{ code: 'DOCUMENT_NOT_ALLOWED', hasRequestId: true }]
    expect(await tenant[name]({ query: other })).toMatchObject(refused)
    expect(await tenant[name]({ query: `${listed} ` })).toMatchObject(refused)
    // Not even one that an administrator has sent.
    expect(await admin[name]({ query: other, ...persisted(hash(other)) })).toEqual([])
    expect(await tenant[name]({ query: other, ...persisted(hash(other)) })).toMatchObject(refused)
    expect(await tenant[name]({ query: '', ...persisted(hash(other)) })).toMatchObject(refused)
  })

  test('an administrator sends any, and those of the list by their hash', async () => {
    expect(await admin[name]({ query: other })).toEqual([])
    expect(await admin[name]({ query: '', ...persisted(hash(listed)) })).toEqual([])
  })

  test('the schema is told where that is allowed, and no more than twice in a document', async () => {
    expect(await admin[name]({ query: '{ __schema { queryType { name } } }' })).toEqual([])
    const thrice = ['a', 'b', 'c'].map((alias) => `${alias}: __schema { queryType { name } }`).join(' ')
    expect(await admin[name]({ query: `{ ${thrice} }` })).toMatchObject([
      { code: 'DOCUMENT_TOO_COMPLEX', limit: 'introspections' },
    ])
  })
})

test('a ticket opens the subscriptions of the list, and no others', async () => {
  const { createStreamTicket } = await clients.tenant.graphql<{ createStreamTicket: { ticket: string } }>(
    ticketDocument,
  )
  const { ticket } = createStreamTicket
  const allowed = await openEventStream(gateway.origin, { query: watch, ticket })
  expect(allowed.status).toBe(200)
  allowed.close()
  const refused = await openEventStream(gateway.origin, { query: `${watch} `, ticket })
  await refused.ended
  expect([refused.status, refused.raw()]).toEqual([403, expect.stringContaining('DOCUMENT_NOT_ALLOWED')])
  expect(endingOf(refused).completed).toBe(false)
})
