import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'

let fleet: Fleet
let clients: Awaited<ReturnType<typeof clientsOf>>
type Counts = { queue: { paused: boolean; waiting: number; workers: { name: string }[] } }

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
  const [gateway] = await Promise.all([fleet.start('all'), fleet.start('worker')])
  clients = await clientsOf(gateway)
})
afterAll(() => fleet.close())

const change = (name: string) => clients.admin.graphql(`mutation { ${name}(name: "nifi") { paused } }`)
const counts = async () =>
  (await clients.admin.graphql<Counts>('{ queue(name: "nifi") { paused waiting workers { name } } }')).queue

test('a paused queue holds on all workers, over a restart of Redis and of a worker, and then goes on', async () => {
  await change('pauseQueue')
  const first = await clients.tenant.postJob({ i: 1 })
  await untilStatus(clients.admin, first, 'QUEUED')
  await fleet.redis.restart({ keepData: true })
  const back = () =>
    clients.admin.graphql('{ viewer { kind } queue(name: "nifi") { paused } }').catch(() => null)
  await until(back, { what: 'Redis is back' })
  const second = await until(() => clients.tenant.postJob({ i: 2 }).catch(() => undefined), {
    what: 'accepted',
  })
  // With nothing of its own to work on: it would take what waits at once.
  const { pid } = await fleet.start('worker')
  const isSeen = async () => (await counts()).workers.some(({ name }) => name.includes(`.${pid}.`))
  await until(isSeen, { what: 'the new worker is seen' })
  await untilStatus(clients.admin, second, 'QUEUED')
  await until(async () => (await counts()).waiting === 2, { what: 'both wait' })
  expect((await counts()).paused).toBe(true)
  expect(fleet.receiver.received).toEqual([])
  await change('resumeQueue')
  for (const id of [first, second]) await untilStatus(clients.admin, id, 'DELIVERED')
})
