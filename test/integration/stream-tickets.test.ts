import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { endingOf, openEventStream } from '../support/event-stream.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { alphanumericCnpj, numericCnpj } from '../support/tenants.ts'

const query = 'subscription { jobEvents { ... on JobStatusChanged { jobId status } } }'
const reader = 'gadm_may-only-read-0123456789'

let fleet: Fleet
let gancho: GanchoProcess
let other: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  // Longer than a busy machine takes for what a test does with a ticket.
  const env = { STREAM_TICKET_TTL_SECONDS: '7', ADMIN_TOKENS: `board:read:${reader}`, LOG_LEVEL: 'trace' }
  fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  ;[gancho, other] = await Promise.all([fleet.start('gateway'), fleet.start('gateway')])
  clients = await clientsOf(gancho)
})
afterAll(() => fleet.close())

type Created = { createStreamTicket: { ticket: string; expiresAt: string } }
async function newTicket(client: ReturnType<typeof clientOf> = clients.tenant): Promise<string> {
  const mutation = 'mutation { createStreamTicket { ticket expiresAt } }'
  const { createStreamTicket } = await client.graphql<Created>(mutation)
  expect(Date.parse(createStreamTicket.expiresAt)).toBeGreaterThan(Date.now())
  return createStreamTicket.ticket
}
/** How a ticket is answered that is used for something else than a subscription: 403 while it is good. */
const statusOf = async (ticket: string, at = gancho) => {
  const stream = await openEventStream(at.origin, { query: '{ viewer { kind } }', ticket })
  await stream.ended
  return stream.status
}

test('a ticket opens a stream on any instance, which shows what its token may see', async () => {
  const stranger = clientOf(gancho, await clients.admin.newTenant(alphanumericCnpj))
  const [own, all] = await Promise.all([
    openEventStream(other.origin, { query, ticket: await newTicket() }),
    openEventStream(gancho.origin, { query, ticket: await newTicket(clientOf(gancho, reader)) }),
  ])
  const ids = [await stranger.postJob({ a: 1 }), await clients.tenant.postJob({ a: 1 })]
  await until(() => own.results().length === 1 && all.results().length === 2, { what: 'results' })
  const idsOf = (stream: typeof own) =>
    stream
      .results()
      .map((result) => (result as { data: { jobEvents: { jobId: string } } }).data.jobEvents.jobId)
  expect([idsOf(own), idsOf(all)]).toEqual([ids.slice(1), ids])
  own.close()
  all.close()
})

describe('a ticket', () => {
  test('is refused for anything but a subscription, and where no stream is accepted', async () => {
    const ticket = await newTicket()
    expect(await statusOf(ticket)).toBe(403)
    const mutation = await openEventStream(gancho.origin, {
      query: 'mutation { createStreamTicket { ticket } }',
      ticket,
    })
    expect(mutation.status).toBe(403)
    const json = await openEventStream(gancho.origin, {
      query,
      ticket,
      headers: { accept: 'application/json' },
    })
    expect(json.status).toBe(406)
    const posted = await openEventStream(gancho.origin, { query, ticket, method: 'POST' })
    expect(posted.status).toBe(401)
  })

  test.each(['nonsense', '', `gst_${'A'.repeat(43)}`, '{gancho}:seq'])(
    'is refused that nobody made: %j',
    async (ticket) => {
      expect(await statusOf(ticket)).toBe(401)
    },
  )

  test('ends with its time, unless a stream is open that it opened', async () => {
    const [used, unused] = [await newTicket(), await newTicket()]
    const stream = await openEventStream(gancho.origin, { query, ticket: used })
    expect([await statusOf(used), await statusOf(unused)]).toEqual([403, 403])
    await until(async () => (await statusOf(unused)) === 401, { what: 'the end of its time' })
    expect(await statusOf(used, other)).toBe(403)
    stream.close()
    await until(async () => (await statusOf(used)) === 401, { what: 'the end of its time' })
  })

  test('ends with the token that it was made by, and so do its streams', async () => {
    const ticket = await newTicket()
    const stream = await openEventStream(gancho.origin, { query, ticket })
    await clients.admin.graphql('mutation ($cnpj: CNPJ!) { rotateTenantToken(cnpj: $cnpj) { token } }', {
      cnpj: numericCnpj,
    })
    await stream.ended
    expect(endingOf(stream)).toMatchObject({ code: 'UNAUTHENTICATED', completed: true })
    // So that it does not end with its time.
    for (const name of await fleet.data.keys('*ticket*')) await fleet.data.persist(name)
    await until(async () => (await statusOf(ticket, other)) === 401, { what: 'the end of the ticket' })
  })
})

test('a ticket is neither stored nor logged', async () => {
  const ticket = await newTicket(clients.admin)
  const stream = await openEventStream(gancho.origin, { query, ticket })
  const names = await fleet.data.keys('*ticket*')
  expect(names.length).toBeGreaterThan(0)
  const stored = JSON.stringify([names, await fleet.data.mget(names)])
  expect(stored).toContain('{\\"kind\\":\\"admin\\",\\"name\\":\\"admin\\"}')
  expect(stored).not.toContain(ticket)
  await statusOf(`${ticket}x`)
  expect(gancho.output()).not.toContain(ticket)
  stream.close()
})
