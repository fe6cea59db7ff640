import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { makeDestinations } from '../support/own-destinations.ts'
import type { Received } from '../support/receiver.ts'

const answerAfterMs = 100
let fleet: Fleet
let gateway: GanchoProcess
let tenant: ReturnType<typeof clientOf>
/** Requests that wait for their answer, by path, and the most that ever did. */
const inFlight = new Map<string, number>()
const most = new Map<string, number>()
/** While there is one, requests to the environment's destination are not answered. */
let gate: Promise<void> | undefined

function count(path: string, by: number) {
  inFlight.set(path, (inFlight.get(path) ?? 0) + by)
  most.set(path, Math.max(most.get(path) ?? 0, inFlight.get(path) ?? 0))
}

async function answer(response: ServerResponse, { path, headers }: Received) {
  if (headers['x-event-type'] === 'probe') return response.end()
  count(path, 1)
  response.on('close', () => count(path, -1))
  if (path === '/hangs') return
  if (path === '/') await gate
  setTimeout(() => response.end(), answerAfterMs)
}

beforeAll(async () => {
  // What hangs does so for longer than any of these tests takes.
  const env = { ALLOWED_CIDRS: '127.0.0.0/8', ATTEMPT_TIMEOUT_MS: '200000', WORKER_CONCURRENCY: '5' }
  fleet = await openFleet({ answer, env })
  ;[gateway] = await Promise.all([fleet.start('gateway'), fleet.start('worker'), fleet.start('worker')])
  const admin = clientOf(gateway)
  tenant = clientOf(gateway, await admin.newTenant())
  await makeDestinations(tenant, {
    busy: { url: `${fleet.receiver.url}busy`, maxConcurrency: 3 },
    hangs: { url: `${fleet.receiver.url}hangs`, maxConcurrency: 2 },
  })
})
afterAll(() => fleet.close())

const at = (path: string) =>
  fleet.receiver.received.filter((one) => one.path === path && one.headers['x-event-type'] !== 'probe')
const post = (client: ReturnType<typeof clientOf>, type: string, jobs: number) =>
  Promise.all(Array.from({ length: jobs }, (_, at) => client.postJob({ at }, { 'x-event-type': type })))

test('a destination that hangs takes no more than its places, and another gets all its jobs meanwhile, never more at a time than it wants', async () => {
  await post(tenant, 'hangs', 40)
  await until(() => at('/hangs').length === 2, { what: 'two hang' })
  await post(tenant, 'busy', 60)
  await until(() => at('/busy').length === 60, { what: 'the other has all its jobs' })
  expect(most.get('/busy')).toBe(3)
  expect(at('/hangs').length).toBe(2)
})

test('of a flood of one tenant, another that shares its destination waits for a few jobs alone', async () => {
  const admin = clientOf(gateway)
  const [flooding, other] = await Promise.all(
    ['12ABC34501DE35', '00000000000191'].map(async (cnpj) => clientOf(gateway, await admin.newTenant(cnpj))),
  )
  const { promise, resolve: open } = Promise.withResolvers<void>()
  gate = promise
  await post(flooding as typeof tenant, 'flood', 200)
  await until(() => at('/').length >= 8, { what: 'the flood has the places' })
  await post(other as typeof tenant, 'single', 1)
  const backlog = async () => (await fleet.data.xlen('{gancho}:inbox')) === 0
  await until(backlog, { what: 'all are dispatched' })
  open()
  const types = () => at('/').map(({ headers }) => headers['x-event-type'])
  await until(() => types().includes('single'), { what: 'the other tenant’s job arrives' })
  expect(types().indexOf('single')).toBeLessThan(40)
  await until(() => types().length === 201, { what: 'all arrive' })
})

test('a change of how many may be under way takes effect while jobs wait', async () => {
  await post(tenant, 'hangs', 1)
  const query = '{ destinations { edges { node { id name maxConcurrency } } } }'
  type Listed = { destinations: { edges: { node: { id: string; name: string } }[] } }
  const { destinations } = await tenant.graphql<Listed>(query)
  const id = destinations.edges.find(({ node }) => node.name === 'hangs')?.node.id
  const mutation = `mutation ($id: ID!) {
    updateDestination(id: $id, input: { maxConcurrency: 4 }) { maxConcurrency } }`
  await tenant.graphql(mutation, { id })
  await until(() => at('/hangs').length === 4, { what: 'two more begin' })
})
