import { afterEach, expect, test } from 'vitest'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import type { FoundDestination } from '../../src/delivery/find-destination.ts'
import { bullJobId } from '../../src/events/job.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { startDelivery } from '../support/delivery.ts'
import { startReceiver } from '../support/receiver.ts'

const { core } = await coreForFile()
const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function world(first: (url: string) => FoundDestination) {
  const receiver = await startReceiver((response) => response.end())
  let found = first(receiver.url)
  const delivery = startDelivery(core, { url: receiver.url, scheduleSeconds: [], find: async () => found })
  const dispatcher = core.newDispatcher()
  dispatcher.start()
  opened.push(delivery.stop, dispatcher.stop, receiver.close)
  return {
    receiver,
    /** What is known of the destination from now on. */
    become(next: (url: string) => FoundDestination) {
      found = next(receiver.url)
    },
  }
}

/** The job's time has come. */
async function promote(n: number) {
  await core.redis.hset(keys.job(n), 'nextAttemptAt', 0)
  const bullJob = await core.lanes.get('nifi').queue.getJob(bullJobId(n, 0))
  await bullJob?.promote()
}

/** For how long BullMQ was told to leave it alone. */
const waitMs = async (n: number) => (await core.lanes.get('nifi').queue.getJob(bullJobId(n, 0)))?.delay ?? 0

const isDelayed = async (n: number) =>
  (await core.lanes.get('nifi').queue.getJobState(bullJobId(n, 0))) === 'delayed'
const untilWaiting = (n: number, status: string) =>
  until(async () => (await core.job(n))?.status === status && (await isDelayed(n)), {
    what: `waits as ${status}`,
  })

const known = (url: string): FoundDestination => ({ kind: 'known', destination: environmentDestination(url) })
test('a job whose destination cannot be read while the database is down waits, costs no attempt of its round, and is delivered after', async () => {
  const { receiver, become } = await world(() => ({ kind: 'unknown' }))
  const n = await core.accept()
  const waits: number[] = []
  for (const looks of [1, 2, 3, 4]) {
    await until(async () => Number(await core.redis.hget(keys.job(n), 'looks')) === looks, {
      what: `look ${looks}`,
    })
    await untilWaiting(n, 'RETRYING')
    waits.push(await waitMs(n))
    if (looks < 4) await promote(n)
  }
  // Soon at first, and then not so often: many may wait for the same.
  expect(waits.map((ms) => Math.round(ms / 5_000) * 5)).toEqual([15, 30, 60, 60])
  expect(receiver.received).toHaveLength(0)
  expect(await core.attempts(n)).toEqual([])
  expect(await core.job(n)).toMatchObject({ attempts: 0 })
  become(known)
  await promote(n)
  await until(async () => (await core.job(n))?.status === 'DELIVERED', { what: 'delivery' })
  expect(receiver.received).toHaveLength(1)
  expect(receiver.received[0]?.headers).toMatchObject({ 'x-gancho-attempt': '1' })
  expect(await core.job(n)).toMatchObject({ attempts: 1 })
})

test('a job whose destination was deleted rests in the error queue without a request', async () => {
  const { receiver } = await world(() => ({ kind: 'gone' }))
  const n = await core.accept()
  await until(async () => core.errorQueue.has('nifi', n, 0), { what: 'the error queue has it' })
  expect(await core.job(n)).toMatchObject({
    ...{ attempts: 0, failure: { reason: 'DESTINATION_GONE', attempts: 0 } },
  })
  expect(receiver.received).toHaveLength(0)
})
