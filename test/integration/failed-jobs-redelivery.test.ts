import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSweeper } from '../../src/delivery/sweeper.ts'
import { forgetProjected } from '../../src/history/forget-jobs.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { startDelivery } from '../support/delivery.ts'
import { type FailedJobs, openFailedJobs } from '../support/failed-jobs.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'

let world: FailedJobs
let receiver: Receiver
let delivery: ReturnType<typeof startDelivery>
let answer = 200
beforeAll(async () => {
  world = await openFailedJobs()
  receiver = await startReceiver((response) => response.writeHead(answer).end(`answer ${answer}`))
  const { services, log } = world
  const parts = { ...services, redis: services.connections.patient, log }
  delivery = startDelivery(parts, { url: receiver.url, scheduleSeconds: [] })
})
afterAll(async () => {
  await delivery.stop()
  await receiver.close()
  await world.close()
})

/** A new job, delivered with this answer. */
const deliveredWith = async (status: number) => {
  answer = status
  const n = await world.accept()
  await world.steps.enqueue(n)
  await becomes(n, status < 300 ? 'DELIVERED' : 'FAILED', 0)
  return n
}
const becomes = (n: number, status: string, round: number) =>
  until(
    async () => {
      const job = await world.job(n)
      return job?.status === status && job.round === round
    },
    { what: `job ${n} ${status} in round ${round}` },
  )
const rounds = (n: number) =>
  receiver.received.flatMap(({ headers }) =>
    headers['x-gancho-job'] === `ID-${n}` ? [headers['x-gancho-round']] : [],
  )
const hasEntry = (n: number, round: number) => world.services.errorQueue.has('nifi', n, round)
const attempts = async (n: number) =>
  (await world.services.jobs.attempts([n]))
    .get(n)
    ?.map(({ number, round, outcome }) => [number, round, outcome])

test('a failed job is delivered again and leaves the error queue', async () => {
  const n = await deliveredWith(500)
  await until(() => hasEntry(n, 0))
  answer = 200
  expect(await world.post({ id: `ID-${n}` })).toMatchObject({ status: 202, body: { requeued: [`ID-${n}`] } })
  await becomes(n, 'DELIVERED', 1)
  expect(rounds(n)).toEqual(['0', '1'])
  expect(await hasEntry(n, 0)).toBe(false)
  expect(await attempts(n)).toEqual([
    [1, 0, 'FAILED'],
    [2, 1, 'DELIVERED'],
  ])
})

test('a delivered job that downstream could not process comes back from history and is delivered again', async () => {
  const n = await deliveredWith(200)
  const { redis } = world.services
  await until(async () => (await redis.exists(keys.job(n))) === 0, { what: 'the record is gone' })
  const { body } = await world.post({ id: `ID-${n}`, error: 'row 7 is wrong', round: 0 })
  expect(body).toMatchObject({ requeued: [`ID-${n}`] })
  await becomes(n, 'DELIVERED', 1)
  expect(rounds(n)).toEqual(['0', '1'])
  await world.services.historyCaughtUp()
  await until(async () => (await redis.exists(keys.job(n))) === 0, { what: 'the record is gone again' })
  expect(await world.job(n)).toMatchObject({
    status: 'DELIVERED',
    round: 1,
    attempts: 2,
    reported: 'row 7 is wrong',
  })
  expect(await attempts(n)).toEqual([
    [1, 0, 'DELIVERED'],
    [2, 1, 'DELIVERED'],
  ])
  expect(receiver.received.at(-1)?.body.toString()).toBe('x')
})

test('a round that fails while the entry of the one before is still there leaves one entry, of the last round', async () => {
  const n = await deliveredWith(500)
  await until(() => hasEntry(n, 0))
  const { transitions, lanes, records, errorQueue, connections } = world.services
  // Whoever requeued the job crashed before it removed the entry.
  await transitions.requeue({ n, maxRounds: 5 })
  await lanes.add([{ n, round: 1, queue: 'nifi' }])
  await becomes(n, 'FAILED', 1)
  await until(() => hasEntry(n, 1))
  expect(await hasEntry(n, 0)).toBe(true)

  const redis = connections.patient
  const forget = forgetProjected(redis)
  const parts = { redis, records, transitions, lanes, errorQueue, forget, log: world.log }
  await createSweeper({ ...parts, graceMs: 0, now: Date.now }).sweep()
  expect([await hasEntry(n, 0), await hasEntry(n, 1)]).toEqual([false, true])
  expect(await errorQueue.count('nifi')).toBe(1)

  answer = 200
  expect((await world.post()).body).toMatchObject({ requeued: [`ID-${n}`], skipped: [] })
  await becomes(n, 'DELIVERED', 2)
  expect(rounds(n)).toEqual(['0', '1', '2'])
  expect(await errorQueue.count('nifi')).toBe(0)
})
