import { expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { deliveryForFile } from '../support/delivery-for-file.ts'
import type { Answer } from '../support/receiver.ts'
import { jobBecomes, scheduledJob } from '../support/scheduled-job.ts'

const { core, receive, deliverTo } = await deliveryForFile()

const status =
  (code: number, headers = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end()
const restsInErrorQueue = (n: number) => until(() => core.errorQueue.has('nifi', n, 0))

test('410 puts a destination out of service, and its job into the error queue', async () => {
  const disabled: unknown[] = []
  const receiver = await receive(status(410))
  deliverTo({
    url: receiver.url,
    destination: { id: 'dst_1', version: 4 },
    disable: async ({ id, version }, reason) => disabled.push([id, version, reason]),
  })
  const n = await scheduledJob(core)
  await restsInErrorQueue(n)
  await until(() => disabled.length > 0)
  expect(disabled).toEqual([['dst_1', 4, 'it answered 410 Gone']])
  expect(await core.job(n)).toMatchObject({
    ...{ status: 'FAILED', attempts: 1 },
    failure: { reason: 'FINAL_STATUS', statusCode: 410 },
  })
})

test('410 never puts the destination of the environment out of service', async () => {
  const disabled: string[] = []
  const receiver = await receive(status(410))
  deliverTo({ url: receiver.url, disable: async ({ id }) => disabled.push(id) })
  const ns = [await scheduledJob(core), await scheduledJob(core)]
  for (const n of ns) await restsInErrorQueue(n)
  expect(receiver.received).toHaveLength(2)
  expect(disabled).toEqual([])
})

test('a destination that cannot be put out of service has its jobs failed all the same', async () => {
  const receiver = await receive(status(410))
  const disable = () => Promise.reject(new Error('the database is down'))
  deliverTo({ url: receiver.url, destination: { id: 'dst_1' }, disable })
  const ns = [await scheduledJob(core), await scheduledJob(core)]
  for (const n of ns) await restsInErrorQueue(n)
  expect(await core.lanes.get('nifi').queue.getFailedCount()).toBe(0)
})

test('each destination says which answers are final and how often it is tried', async () => {
  const receiver = await receive((response) =>
    response.writeHead(receiver.received.length < 3 ? 500 : 422).end(),
  )
  const destination = { id: 'dst_1', retryScheduleSeconds: [0, 0, 0, 0], finalStatuses: [422] }
  deliverTo({ url: receiver.url, scheduleSeconds: [3600], destination })
  const n = await scheduledJob(core)
  await restsInErrorQueue(n)
  expect(await core.job(n)).toMatchObject({
    attempts: 3,
    failure: { reason: 'FINAL_STATUS', statusCode: 422 },
  })
})

test('an attempt may take longer at one destination than elsewhere, and its job is not taken for lost meanwhile', async () => {
  let answer = () => {}
  const receiver = await receive((response) => {
    answer = () => response.end()
  })
  deliverTo({ url: receiver.url, timeoutMs: 200, leaseMarginMs: 100, destination: { timeoutMs: 60_000 } })
  const n = await scheduledJob(core)
  await until(() => receiver.received.length === 1)
  const sentAt = Date.now()
  expect(Number(await core.redis.hget(keys.job(n), 'leaseUntil'))).toBeGreaterThan(sentAt + 15_000)
  await until(() => Date.now() > sentAt + 400, { what: 'an end to the time that others have' })
  expect(await core.transitions.start(n, 0, 'another', 1_000)).toMatchObject({ kind: 'wait' })
  answer()
  await jobBecomes(core, n, 'DELIVERED')
  expect(await core.attempts(n)).toMatchObject([{ outcome: 'DELIVERED' }])
})

test('an attempt may take less time at one destination than elsewhere', async () => {
  const receiver = await receive(() => {})
  deliverTo({ url: receiver.url, scheduleSeconds: [], destination: { timeoutMs: 3_000 } })
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'FAILED')
  expect(await core.job(n)).toMatchObject({
    failure: { error: 'timeout after 3000 ms waiting for the response headers' },
  })
})

test('a job is tried until its deadline and not after it', async () => {
  const times: number[] = []
  const receiver = await receive((response) => {
    times.push(Date.now())
    response.writeHead(500).end()
  })
  const timeoutMs = 6_000
  const destination = { jobDeadlineSeconds: 12, retryScheduleSeconds: [3600, 3600], timeoutMs }
  deliverTo({ url: receiver.url, destination })
  const n = await scheduledJob(core)
  await restsInErrorQueue(n)
  const job = await core.job(n)
  expect(job).toMatchObject({ attempts: 2, failure: { reason: 'DEADLINE', error: 'HTTP 500' } })
  const deadline = Number(job?.receivedAt) + 12_000
  // The last attempt begins as late as lets it be over by then; the first retry alone would come an hour later.
  expect(Number(times[1])).toBeGreaterThan(deadline - timeoutMs - 200)
  expect(Number(job?.failure?.failedAt)).toBeLessThan(deadline + 30_000)
})

test('a job whose deadline passed while it waited is not sent at all, and gets a new one when it is queued again', async () => {
  const receiver = await receive(status(200))
  const n = await core.accept()
  await core.transitions.enqueue([n])
  const received = Number((await core.job(n))?.receivedAt)
  // As long as a busy machine may take to deliver it the second time.
  const seconds = 8
  const deadline = received + seconds * 1_000
  await until(() => Date.now() > deadline, { what: 'the deadline' })
  deliverTo({ url: receiver.url, destination: { jobDeadlineSeconds: seconds } })
  await core.lanes.add([{ n, round: 0, queue: 'nifi' }])
  await restsInErrorQueue(n)
  expect(receiver.received).toHaveLength(0)
  const error = `not delivered by its deadline, ${new Date(deadline).toISOString()}`
  expect(await core.job(n)).toMatchObject({ status: 'FAILED', failure: { reason: 'DEADLINE', error } })
  await core.transitions.requeue({ n, maxRounds: 5 })
  await core.lanes.add([{ n, round: 1, queue: 'nifi' }])
  await jobBecomes(core, n, 'DELIVERED')
})

test('Retry-After as a date is waited for', async () => {
  const at = Math.ceil(Date.now() / 1_000 + 60) * 1_000
  const receiver = await receive((response) => {
    if (receiver.received.length > 1) response.end()
    else response.writeHead(429, { 'retry-after': new Date(at).toUTCString() }).end()
  })
  deliverTo({ url: receiver.url })
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'RETRYING')
  expect(Math.abs(Number((await core.job(n))?.nextAttemptAt) - at)).toBeLessThan(20_000)
})

test('Retry-After is honoured up to a day', async () => {
  const receiver = await receive(status(503, { 'retry-after': '99999999' }))
  deliverTo({ url: receiver.url })
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'RETRYING')
  const job = await core.job(n)
  expect(Number(job?.nextAttemptAt) - Number(job?.updatedAt)).toBe(86_400_000)
})
