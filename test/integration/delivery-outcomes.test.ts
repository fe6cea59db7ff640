import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { deliverJob } from '../../src/delivery/deliver-job.ts'
import { bullJobId, type JobStatus } from '../../src/events/job.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import type { Core } from '../support/core.ts'
import { deliveryForFile } from '../support/delivery-for-file.ts'
import { freePort } from '../support/free-port.ts'
import { jobBecomes, scheduledJob } from '../support/scheduled-job.ts'

const { core, receive, deliverTo } = await deliveryForFile()
const scheduled = (event: Parameters<Core['accept']>[0] = {}) => scheduledJob(core, event)
const becomes = (n: number, status: JobStatus) => jobBecomes(core, n, status)
const mainQueue = () => core.lanes.get('nifi').queue.getJobCountByTypes('wait', 'active', 'delayed', 'failed')
const mainQueueIsEmpty = () => until(async () => (await mainQueue()) === 0, { what: 'an empty queue' })

test('a receiver that fails three times and then answers: every attempt is recorded with what went out and came back', async () => {
  const long = 'x'.repeat(20_000)
  const receiver = await receive((response) => {
    const isLast = receiver.received.length === 4
    response.writeHead(isLast ? 200 : 500 + receiver.received.length, {
      'x-try': String(receiver.received.length),
    })
    response.end(isLast ? 'thanks' : long)
  })
  deliverTo({ url: receiver.url })
  const n = await scheduled()
  await becomes(n, 'DELIVERED')

  const job = await core.job(n)
  expect(job).toMatchObject({ attempts: 4, round: 0, failure: null, deliveredAt: job?.updatedAt })
  const attempts = await core.attempts(n)
  expect(
    attempts.map(({ number, round, outcome, statusCode }) => [number, round, outcome, statusCode]),
  ).toEqual([
    [1, 0, 'RETRY', 501],
    [2, 0, 'RETRY', 502],
    [3, 0, 'RETRY', 503],
    [4, 0, 'DELIVERED', 200],
  ])
  attempts.forEach((attempt, i) => {
    expect(attempt.requestHeaders['x-gancho-attempt']).toBe(String(i + 1))
    expect(attempt.responseHeaders?.['x-try']).toBe(String(i + 1))
    expect(attempt.responseBody).toBe(i === 3 ? 'thanks' : long.slice(0, 16_384))
    expect(attempt.timing.firstByteMs).toBeGreaterThan(0)
    expect(attempt.timing.totalMs).toBeGreaterThanOrEqual(Number(attempt.timing.firstByteMs))
    expect(attempt.startedAt).toBeGreaterThanOrEqual(job?.receivedAt ?? 0)
  })
  expect(attempts[0]?.timing.socketReused).toBe(false)
  expect(receiver.received.map(({ headers }) => headers['x-gancho-attempt'])).toEqual(['1', '2', '3', '4'])
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(receiver.received[0]?.headers).toMatchObject({ 'x-gancho-job': `ID-${n}`, 'x-gancho-round': '0' })
  await mainQueueIsEmpty()
})

test('a job that fails for good rests in the error queue with what is known of it, and the main queue lets go', async () => {
  const receiver = await receive((response) => response.writeHead(503).end('no space left'))
  deliverTo({ url: receiver.url, scheduleSeconds: [0, 0] })
  const n = await scheduled()
  await becomes(n, 'FAILED')
  await mainQueueIsEmpty()

  const attempts = await core.attempts(n)
  expect(attempts.map(({ outcome }) => outcome)).toEqual(['RETRY', 'RETRY', 'FAILED'])
  const failure = {
    ...{
      reason: 'EXHAUSTED',
      error: 'HTTP 503',
      statusCode: 503,
      responseExcerpt: 'no space left',
      attempts: 3,
    },
    failedAt: expect.any(Number),
    firstAttemptAt: expect.any(Number),
    lastAttemptAt: attempts[2]?.startedAt,
  }
  const job = await core.job(n)
  expect(job).toMatchObject({ failure, nextAttemptAt: null })
  // By Redis' clock, when the first attempt was taken up, while an attempt is timed by its worker.
  expect(Number(job?.failure?.firstAttemptAt)).toBeGreaterThanOrEqual(Number(job?.receivedAt))
  expect(Number(job?.failure?.firstAttemptAt)).toBeLessThanOrEqual(Number(attempts[0]?.startedAt) + 1)
  const entry = await core.lanes.get('nifi').errors.getJob(bullJobId(n, 0))
  expect(entry?.queueName).toBe('nifi.errors')
  await until(async () => (await core.redis.zscore(keys.due, n)) === null, { what: 'nothing left to mend' })
  expect(entry?.data).toEqual({
    id: `ID-${n}`,
    n,
    round: 0,
    cnpj: job?.cnpj,
    destination: 'default',
    failure: job?.failure,
  })
  expect(receiver.received.length).toBe(3)
})

test('410 ends the round at once', async () => {
  const receiver = await receive((response) => response.writeHead(410).end())
  deliverTo({ url: receiver.url })
  const n = await scheduled()
  await becomes(n, 'FAILED')
  expect(await core.job(n)).toMatchObject({
    attempts: 1,
    failure: { reason: 'FINAL_STATUS', statusCode: 410 },
  })
  await until(() => core.errorQueue.has('nifi', n, 0))
  expect(receiver.received.length).toBe(1)
})

test('a receiver that hangs is given up at the deadline and tried again', async () => {
  const receiver = await receive((response) => {
    if (receiver.received.length > 1) response.end()
  })
  deliverTo({ url: receiver.url, timeoutMs: 4_000 })
  const n = await scheduled()
  await becomes(n, 'DELIVERED')
  const [first, second] = await core.attempts(n)
  expect(first).toMatchObject({
    outcome: 'RETRY',
    statusCode: null,
    responseHeaders: null,
    responseBody: null,
  })
  expect(first?.error).toBe('timeout after 4000 ms waiting for the response headers')
  expect(first?.timing.totalMs).toBeGreaterThanOrEqual(3_999)
  expect(second).toMatchObject({ outcome: 'DELIVERED', statusCode: 200 })
})

test('a destination that nobody listens at fails with the reason, without a status', async () => {
  const port = await freePort()
  deliverTo({ url: `http://127.0.0.1:${port}/`, scheduleSeconds: [0] })
  const n = await scheduled()
  await becomes(n, 'FAILED')
  const error = `ECONNREFUSED 127.0.0.1:${port}`
  expect(await core.attempts(n)).toMatchObject([
    { error, statusCode: null },
    { error, outcome: 'FAILED' },
  ])
  expect(await core.job(n)).toMatchObject({ failure: { reason: 'EXHAUSTED', error, statusCode: null } })
})

test('Retry-After is waited for', async () => {
  const times: number[] = []
  const receiver = await receive((response) => {
    times.push(Date.now())
    if (times.length > 1) response.end()
    else response.writeHead(503, { 'retry-after': '3' }).end()
  })
  deliverTo({ url: receiver.url })
  const n = await scheduled()
  await becomes(n, 'RETRYING')
  const job = await core.job(n)
  expect(Number(job?.nextAttemptAt) - Number(job?.updatedAt)).toBe(3_000)
  await becomes(n, 'DELIVERED')
  expect(Number(times[1]) - Number(times[0])).toBeGreaterThanOrEqual(3_000)
})

test('a worker has as many requests open as its concurrency allows, and leaves the rest to others', async () => {
  const held: (() => void)[] = []
  const slow = await receive((response) => held.push(() => response.end()))
  const quick = await receive((response) => response.end())
  const ns = await Promise.all(Array.from({ length: 12 }, () => scheduled()))
  deliverTo({ url: slow.url, concurrency: 3 })
  await until(() => held.length === 3)
  deliverTo({ url: quick.url, concurrency: 1 })
  await until(() => quick.received.length === 9, { what: 'the other worker took the rest' })
  expect(slow.received.length).toBe(3)
  for (const answer of held) answer()
  for (const n of ns) await becomes(n, 'DELIVERED')
})

test('a BullMQ entry that comes a second time while its first worker lives is not sent twice', async () => {
  let answer: () => void = () => undefined
  const receiver = await receive((response) => {
    answer = () => response.end()
  })
  // The second one waits for as long as the first may take.
  deliverTo({ url: receiver.url, timeoutMs: 8_000 })
  const n = await scheduled()
  await until(() => receiver.received.length === 1)
  // What BullMQ does with an entry that it takes for stalled.
  const { queue } = core.lanes.get('nifi')
  const lock = queue.toKey(`${bullJobId(n, 0)}:lock`)
  await core.redis.del(lock)
  await queue.remove(bullJobId(n, 0))
  await core.lanes.add([{ n, round: 0, queue: 'nifi' }])
  await until(async () => (await queue.getDelayedCount()) === 1, { what: 'the second worker waits' })
  answer()
  await becomes(n, 'DELIVERED')
  await mainQueueIsEmpty()
  expect(receiver.received.length).toBe(1)
  expect(await core.attempts(n)).toMatchObject([{ number: 1, outcome: 'DELIVERED' }])
})

test('a report that comes before the answer makes the next round, once', async () => {
  const receiver = await receive(async (response, { headers }) => {
    if (headers['x-gancho-round'] === '0')
      await core.transitions.requeue({ n, report: 'row 7', maxRounds: 5 })
    response.end()
  })
  const n = await scheduled()
  deliverTo({ url: receiver.url })
  await until(async () => (await core.job(n))?.round === 1 && (await core.job(n))?.status === 'DELIVERED')
  expect(receiver.received.map(({ headers }) => headers['x-gancho-round'])).toEqual(['0', '1'])
  expect(await core.job(n)).toMatchObject({ reported: 'row 7', attempts: 2 })
  await mainQueueIsEmpty()
})

test.each([
  ['no bytes', Buffer.alloc(0)],
  ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  ['a mebibyte of noise', randomBytes(1024 * 1024)],
])('a body reaches the receiver byte for byte: %s', async (_what, body) => {
  const receiver = await receive((response) => response.end())
  deliverTo({ url: receiver.url })
  const n = await scheduled({ body, contentType: 'application/octet-stream', correlationId: 'c-9' })
  await becomes(n, 'DELIVERED')
  expect(receiver.received[0]?.body.equals(body)).toBe(true)
  expect(receiver.received[0]?.headers).toMatchObject({
    ...{ 'content-type': 'application/octet-stream', 'content-length': String(body.length) },
    ...{ 'x-event-type': 'order.paid', 'x-correlation-id': 'c-9' },
  })
})

test('a process whose clock is ahead of Redis does not ask again and again for a job that has to wait', async () => {
  const { deps } = deliverTo({ url: 'http://127.0.0.1:1/' })
  const n = await core.accept()
  await core.transitions.enqueue([n])
  await core.transitions.start(n, 0, 'another', 60_000)
  const now = () => Date.now() + 60_000
  const before = now()
  const afterwards = await deliverJob({ ...deps, now }, { n, round: 0 }, 'me')
  expect(afterwards).toMatchObject({ kind: 'later' })
  expect(afterwards.kind === 'later' && afterwards.at - before).toBeGreaterThanOrEqual(250)
})

test('an attempt that this process breaks off because it stops is handed back at once, and is no failure of the receiver', async () => {
  const receiver = await receive(() => undefined)
  const { deps } = deliverTo({ url: receiver.url, scheduleSeconds: [] })
  const n = await core.accept()
  await core.transitions.enqueue([n])
  const stopping = new AbortController()
  const delivered = deliverJob({ ...deps, aborted: stopping.signal }, { n, round: 0 }, 'me')
  await until(() => receiver.received.length === 1)
  stopping.abort()
  const afterwards = await delivered
  expect(afterwards).toEqual({ kind: 'later', at: (await core.job(n))?.updatedAt })
  expect(await core.job(n)).toMatchObject({ status: 'RETRYING', failure: null })
  expect(await core.attempts(n)).toMatchObject([{ outcome: 'RETRY', error: 'aborted: shutting down' }])
})
