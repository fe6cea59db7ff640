import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import type { GanchoProcess } from '../support/gancho.ts'
import { type Load, startLoad } from '../support/load.ts'

const senders = 16
const outageMs = 3_000
/** Beyond which nobody waits for a 503, and what other work on the machine may add: whoever was not let go would wait for minutes. */
const promisedMs = 2_000
const ofABusyMachineMs = 8_000
let fleet: Fleet
let gateway: GanchoProcess
let worker: GanchoProcess
let token: string

beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
  ;[gateway, worker] = await Promise.all([fleet.start('gateway'), fleet.start('worker')])
  token = (await clientsOf(gateway)).token
})
afterAll(() => fleet.close())

const load = () => startLoad(clientOf(gateway, token), senders)

async function grow({ accepted }: Load) {
  const goal = accepted.size + 200
  await until(() => accepted.size >= goal, { what: 'events are accepted' })
}

async function expectAllDelivered({ accepted }: Load) {
  const missing = () => {
    const delivered = new Set(fleet.receiver.received.map(({ headers }) => headers['x-gancho-job']))
    return [...accepted].filter((id) => !delivered.has(id))
  }
  await until(() => missing().length === 0, { what: 'every accepted event is delivered' })
}

function expectRefusals({ refused, unanswered }: Load) {
  expect(unanswered).toEqual([])
  for (const { answered, ms } of refused) {
    expect(answered.status).toBe(503)
    expect(answered.body.error).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    expect(Number(answered.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(ms).toBeLessThan(promisedMs + ofABusyMachineMs)
  }
}

test('a Redis that is stopped under load and comes back with its file loses nothing that was accepted', async () => {
  const running = load()
  await grow(running)
  await fleet.redis.restart({ keepData: true })
  await grow(running)
  await running.stop()
  await expectAllDelivered(running)
  expectRefusals(running)
})

test('while Redis is away senders get 503, the log stays readable, and all goes on by itself when it is back', async () => {
  const running = load()
  await grow(running)
  await fleet.redis.kill9()
  const lines = () => [gateway, worker].map((one) => one.output().split('\n').length)
  const [before, since] = [lines(), performance.now()]
  await until(() => performance.now() - since > outageMs, { what: 'an outage that lasts' })
  const during = lines().map((count, i) => count - (before[i] ?? 0))
  await until(() => running.refused.length > 500, { what: 'senders that do not wait at all' })
  for (const count of during) expect(count).toBeLessThan(20)

  await fleet.redis.restart({ keepData: true })
  await grow(running)
  await running.stop()
  await expectAllDelivered(running)
  expectRefusals(running)
})

test('a Redis that hangs makes senders wait less than 2 s for their 503', async () => {
  const running = load()
  await grow(running)
  process.kill(fleet.redis.pid, 'SIGSTOP')
  await until(() => running.refused.length >= senders, { what: 'every sender is refused' })
  process.kill(fleet.redis.pid, 'SIGCONT')
  await grow(running)
  await running.stop()
  await expectAllDelivered(running)
  expectRefusals(running)
})
