import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'

let fleet: Fleet
let workers: GanchoProcess[]
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end(), env: { ATTEMPT_TIMEOUT_MS: '20000' } })
  const [gateway, ...others] = await Promise.all([
    fleet.start('gateway'),
    fleet.start('worker'),
    fleet.start('worker'),
  ])
  workers = others
  clients = await clientsOf(gateway)
})
afterAll(() => fleet.close())

const projecting = async () => {
  const owner = await fleet.data.get(keys.lease('projector'))
  return workers.find(({ pid }) => owner?.split('.').includes(String(pid)))
}
/** What history, and no record, tells of the job. */
const listed = async (id: string) => {
  const query = 'query ($ids: [ID!]) { jobs(filter: { ids: $ids }) { edges { node { status } } } }'
  type Listed = { jobs: { edges: { node: { status: string } }[] } }
  const { jobs } = await clients.admin.graphql<Listed>(query, { ids: [id] })
  return jobs.edges[0]?.node.status
}
const untilListed = (id: string) =>
  until(async () => (await listed(id)) === 'DELIVERED', { what: `history has ${id}`, withinMs: 60_000 })

test('history goes on in another process when the one that writes it is killed', async () => {
  const before = await clients.tenant.postJob({ order: 1 })
  await untilListed(before)
  const holder = await until(projecting, { what: 'one of the workers writes history' })
  await holder.kill9()

  const during = await clients.tenant.postJob({ order: 2 })
  await untilListed(during)
  const successor = await until(projecting, { what: 'another worker writes history' })
  expect(successor.pid).not.toBe(holder.pid)
  expect(await listed(before)).toBe('DELIVERED')
})
