import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { type Fleet, openFleet, showJob, untilStatus } from '../support/fleet.ts'
import { type GanchoProcess, soonTakenOver } from '../support/gancho.ts'
import { makeDestinations, probe } from '../support/own-destinations.ts'
import type { Received } from '../support/receiver.ts'

type Sent = { key: string; at: number; fails?: number; never?: boolean }

let fleet: Fleet
let tenant: ReturnType<typeof clientOf>
let workers: GanchoProcess[]
const sentBy = ({ body }: Received) => JSON.parse(body.toString()) as Sent
const isProbe = ({ headers }: Received) => headers['x-event-type'] === probe

beforeAll(async () => {
  fleet = await openFleet({
    answer(response, received) {
      const { fails = 0, never = false } = isProbe(received) ? ({} as Sent) : sentBy(received)
      const attempt = Number(received.headers['x-gancho-attempt'])
      const status = never || attempt <= fails ? 503 : 200
      setTimeout(() => response.writeHead(status).end(), 10)
    },
    env: {
      ...soonTakenOver,
      ALLOWED_CIDRS: '127.0.0.0/8',
      RETRY_SCHEDULE_SECONDS: `0,0,0,0,0${',1'.repeat(40)}`,
    },
  })
  const started = await Promise.all([fleet.start('gateway'), fleet.start('worker'), fleet.start('worker')])
  workers = started.slice(1)
  tenant = clientOf(started[0], await clientOf(started[0]).newTenant())
  await makeDestinations(tenant, { ordered: { url: fleet.receiver.url, fifo: true, fifoBlockSeconds: 8 } })
})
afterAll(() => fleet.close())

const post = (sent: Sent) => tenant.postJob(sent, { 'x-event-type': 'ordered', 'x-ordering-key': sent.key })
/** What came, in its order, repeats of attempts included. */
const cameWith = (key: string) =>
  fleet.receiver.received
    .filter((one) => !isProbe(one) && sentBy(one).key === key)
    .map((one) => sentBy(one).at)

test('jobs of a key arrive in the order of their acceptance, whatever is tried again and whoever is killed meanwhile', async () => {
  const keys = ['a', 'b', 'c', 'd']
  const each = 25
  for (let at = 0; at < each; at += 1)
    for (const key of keys) await post({ key, at, fails: at % 5 === 3 ? 2 : 0 })
  await until(() => cameWith('a').length >= 5, { what: 'some have come' })
  const next = fleet.start('worker')
  await workers[0]?.kill9()
  await next
  await until(() => keys.every((key) => cameWith(key).includes(each - 1)), { what: 'all have come' })
  for (const key of keys) {
    const came = cameWith(key)
    expect(came, `of key ${key}`).toEqual(came.toSorted((one, other) => one - other))
    expect(new Set(came).size).toBe(each)
  }
  const left = () => fleet.data.keys('{gancho}:order:*')
  await until(async () => (await left()).length === 0, { what: 'keys without jobs take no memory' })
})

test('a job that fails holds up its own key alone, for as long as it may; then it fails for good and the next goes on', async () => {
  const head = await post({ key: 'blocked', at: 0, never: true })
  const behind = await post({ key: 'blocked', at: 1 })
  const beside = await post({ key: 'beside', at: 0 })
  await untilStatus(tenant, beside, 'DELIVERED')
  const { failure } = await untilStatus(tenant, head, 'FAILED')
  expect(failure?.reason).toBe('ORDER_BLOCKED')
  await untilStatus(tenant, behind, 'DELIVERED')
  expect((await showJob(tenant, behind)).attemptCount).toBe(1)
  const arrived = fleet.receiver.received.map(({ headers }) => headers['x-gancho-job'])
  expect(arrived.indexOf(beside)).toBeLessThan(arrived.indexOf(behind))
  expect(arrived.lastIndexOf(head)).toBeLessThan(arrived.indexOf(behind))
})
