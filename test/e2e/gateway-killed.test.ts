import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { type Answered, clientOf, until } from '../support/client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, untilStatus } from '../support/fleet.ts'

let fleet: Fleet
let tenantToken: string
beforeAll(async () => {
  fleet = await openFleet({ answer: (response) => response.end() })
})
afterAll(() => fleet.close())

const firstAttempts = (ids: readonly string[]) => ids.map((id) => `${id}.0.1`).toSorted()

test('what a gateway accepted before it was killed is delivered once by the process that is started next', async () => {
  const gateway = await fleet.start('gateway')
  const { tenant, token } = await clientsOf(gateway)
  tenantToken = token
  const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => tenant.postJob({ order: i })))
  await gateway.kill9()
  expect(await fleet.data.xlen(keys.inbox), 'nobody has dispatched them').toBe(20)

  const next = await fleet.start('all')
  for (const id of ids) await untilStatus(clientOf(next), id, 'DELIVERED')
  expect(attemptsAt(fleet.receiver).toSorted()).toEqual(firstAttempts(ids))
  await next.stop()
})

test('every 202 that came before a gateway was killed under load stands for a delivered job', async () => {
  const [gateway, worker] = await Promise.all([fleet.start('gateway'), fleet.start('worker')])
  const { post } = clientOf(gateway, tenantToken)
  const before = fleet.receiver.received.length
  const accepted: string[] = []
  const failed: unknown[] = []
  const send = async (sender: number) => {
    for (;;) {
      const answered = await post({ sender }).catch((error: unknown) => void failed.push(error))
      if (!answered) return
      // A busy machine may have Redis slower than a gateway waits for it.
      if ((answered as Answered).status === 503) continue
      expect(answered.status).toBe(202)
      accepted.push(answered.body.id as string)
      if (accepted.length === 100) void gateway.kill9()
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, sender) => send(sender)))
  expect(failed.length, 'every sender lost its connection in the end').toBe(16)
  expect(accepted.length).toBeGreaterThanOrEqual(100)

  const delivered = () => new Set(attemptsAt(fleet.receiver).slice(before))
  await until(() => firstAttempts(accepted).every((attempt) => delivered().has(attempt)), {
    what: 'all accepted events are delivered',
  })
  expect(delivered().size, 'nothing is sent twice').toBe(fleet.receiver.received.length - before)
  await worker.stop()
})
