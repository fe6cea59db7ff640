import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, untilStatus } from '../support/fleet.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../support/gancho.ts'
import { startLoad } from '../support/load.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { startTestSentinelSet, type TestSentinelSet } from '../support/redis-sentinel.ts'

let set: TestSentinelSet
let receiver: Receiver
let shared: ReturnType<typeof sharedEnvironment>
let gancho: GanchoProcess
let clients: Awaited<ReturnType<typeof clientsOf>>

beforeAll(async () => {
  set = await startTestSentinelSet()
  receiver = await startReceiver((response) => response.end())
  shared = sharedEnvironment(set.url, receiver.url)
  gancho = await startGancho({ env: shared.env })
  clients = await clientsOf(gancho)
})
afterAll(async () => {
  await gancho?.kill9()
  await receiver?.close()
  await set?.stop()
  await shared?.remove()
})

test('when the master of a Sentinel set dies senders get 503 until its replica takes over, and deliveries go on', async () => {
  await untilStatus(clients.tenant, await clients.tenant.postJob({ order: 'before' }), 'DELIVERED')
  const load = startLoad(clientOf(gancho, clients.token), 4)
  await until(() => load.accepted.size > 50, { what: 'events are accepted' })
  await set.takeForDeadAfter(1_000)
  await set.master.kill9()
  await until(() => load.refused.length > 0, { what: 'a sender is refused' })
  const held = load.accepted.size
  await until(() => load.accepted.size > held + 50, { what: 'events are accepted by the replica' })
  await load.stop()
  expect(load.unanswered).toEqual([])
  for (const { answered } of load.refused) {
    expect([answered.status, answered.body]).toMatchObject([503, { error: { code: 'REDIS_UNAVAILABLE' } }])
  }
  const id = await clients.tenant.postJob({ order: 'after' })
  await until(() => receiver.received.some(({ headers }) => headers['x-gancho-job'] === id), {
    what: `${id} is delivered`,
  })
})
