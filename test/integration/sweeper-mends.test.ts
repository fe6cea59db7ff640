import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createWorkers } from '../../src/delivery/worker.ts'
import { bullJobId, type Job } from '../../src/events/job.ts'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { type Core, openCore } from '../support/core.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'
import { letAllOut } from '../support/let-all-out.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let core: Core
beforeAll(async () => {
  server = await startTestRedis()
  core = await openCore(server.url, { graceMs: 0 })
})
beforeEach(async () => {
  await core.redis.flushall()
  await letAllOut(core.transitions)
})
afterAll(async () => {
  await core.close()
  await server.stop()
})

const { queued, start, started, finish, finished, requeue } = jobStages(() => core)
const lane = () => core.lanes.get('nifi')
const stateInBull = (n: number, round = 0) => lane().queue.getJobState(bullJobId(n, round))
const add = (n: number, round = 0, delayMs?: number) =>
  core.lanes.add([{ n, round, queue: 'nifi', ...(delayMs === undefined ? {} : { delayMs }) }])
const job = async (n: number) => (await core.job(n)) as Job
const isWatched = async (n: number) => (await core.redis.zscore(keys.due, n)) !== null
const hasEntry = (n: number, round = 0) => core.errorQueue.has('nifi', n, round)
const sweep = () => core.newSweeper().sweep()

describe('a job that is in no queue of BullMQ', () => {
  test('is scheduled again when it is QUEUED', async () => {
    const n = await queued()
    expect(await stateInBull(n)).toBe('unknown')
    await sweep()
    expect(await stateInBull(n)).toBe('waiting')
  })

  test('is scheduled for its next attempt when it is RETRYING', async () => {
    const n = await finished({ status: 'RETRYING', delayMs: 60_000 })
    await core.redis.call('ZADD', keys.due, '0', String(n))
    await sweep()
    expect(await stateInBull(n)).toBe('delayed')
    const entry = await lane().queue.getJob(bullJobId(n, 0))
    const at = Number(entry?.timestamp) + Number(entry?.delay)
    expect(Math.abs(at - Number((await job(n)).nextAttemptAt))).toBeLessThan(20_000)
  })

  test('is scheduled again when its worker is gone with it, whose lease the next one waits for', async () => {
    const n = await started()
    await core.redis.call('ZADD', keys.due, '0', String(n))
    await sweep()
    expect(await stateInBull(n)).toBe('waiting')
    expect(await start(n, 0, 'next')).toMatchObject({ kind: 'wait' })
  })

  test('is scheduled in its new round when whoever requeued it crashed, and the old entry goes', async () => {
    const n = await finished({ status: 'FAILED', failure: failed })
    await core.errorQueue.add(await job(n), failed)
    await requeue(n)
    await sweep()
    expect(await stateInBull(n, 1)).toBe('waiting')
    expect(await hasEntry(n)).toBe(false)
  })
})

describe('an entry in the failed set of BullMQ', () => {
  /** Lets a worker take everything and break off. */
  const breakOff = async (count: number) => {
    const { redis, lanes, log } = core
    const deliver = () => Promise.reject(new Error('the processor broke off'))
    const workers = createWorkers({
      ...{ lanes, log, deliver },
      connectionOf: () => redis,
      keep: core.transitions.keep,
      owner: 'w',
      concurrency: 5,
      lockDurationMs: 30_000,
    })
    workers.start()
    await until(async () => (await lane().queue.getFailedCount()) === count, { what: 'failed entries' })
    await workers.drain()
    await workers.close()
  }

  test('goes back to work when its record says so', async () => {
    const n = await queued()
    await add(n)
    await breakOff(1)
    await sweep()
    expect(await stateInBull(n)).toBe('waiting')
    expect(await lane().queue.getFailedCount()).toBe(0)
  })

  test('goes, and the job rests in the error queue, when the record has failed for good', async () => {
    const n = await queued()
    await add(n)
    await breakOff(1)
    await start(n)
    await finish(n, 1, { status: 'FAILED', failure: failed })
    await sweep()
    expect(await hasEntry(n)).toBe(true)
    expect(await stateInBull(n)).toBe('unknown')
    await sweep()
    expect(await lane().queue.getFailedCount()).toBe(0)
    expect(await core.errorQueue.count('nifi')).toBe(1)
  })

  test('goes when the job is delivered, discarded, in another round, or unknown', async () => {
    const delivered = await queued()
    const discarded = await queued()
    const later = await queued()
    for (const n of [delivered, discarded, later, 4_711]) await add(n)
    await breakOff(4)
    await start(delivered)
    await finish(delivered, 1, { status: 'DELIVERED' })
    await core.transitions.discard(discarded)
    await start(later)
    await finish(later, 1, { status: 'DELIVERED' })
    await requeue(later)
    await add(later, 1)
    await sweep()
    expect(await lane().queue.getFailedCount()).toBe(0)
    expect(await lane().queue.getWaitingCount()).toBe(1)
    expect(await stateInBull(later, 1)).toBe('waiting')
  })
})

describe('the error queue', () => {
  test('gets the entry of a failed job that has none, with its failure, and the sweeper is done with it', async () => {
    const n = await finished({ status: 'FAILED', failure: failed })
    await sweep()
    const entry = await lane().errors.getJob(bullJobId(n, 0))
    expect(entry?.data).toMatchObject({ id: `ID-${n}`, n, round: 0, failure: failed })
    expect(await isWatched(n)).toBe(false)
  })

  test('loses entries behind which no failed record of that round stands, and keeps the others', async () => {
    const failing = await finished({ status: 'FAILED', failure: failed })
    const delivered = await finished({ status: 'DELIVERED' })
    const waiting = await queued()
    for (const n of [failing, delivered, waiting]) await core.errorQueue.add(await job(n), failed)
    await core.errorQueue.add({ ...(await job(failing)), round: 3 }, failed)
    await core.errorQueue.add({ ...(await job(failing)), n: 4_711 }, failed)
    await sweep()
    expect(await core.errorQueue.page('nifi', 0, 10)).toEqual([{ n: failing, round: 0 }])
  })

  test('is looked through page by page', async () => {
    const ns = await Promise.all(
      Array.from({ length: 510 }, () => finished({ status: 'FAILED', failure: failed })),
    )
    for (const one of await core.records.jobs(ns)) await core.errorQueue.add(one, failed)
    for (const n of ns) await core.transitions.settle(n, 0)
    await core.errorQueue.add({ ...(await job(ns[0] ?? 0)), n: 4_711 }, failed)
    const sweeper = core.newSweeper()
    await sweeper.sweep()
    expect(await core.errorQueue.count('nifi')).toBe(511)
    await sweeper.sweep()
    expect(await core.errorQueue.count('nifi')).toBe(510)
    expect(await hasEntry(4_711)).toBe(false)
  })
})

test('the record of a finished job goes once history has it, and not before', async () => {
  const delivered = await finished({ status: 'DELIVERED' })
  const discarded = await queued()
  await core.transitions.discard(discarded)
  await sweep()
  expect(await core.redis.exists(keys.job(delivered), keys.job(discarded))).toBe(2)
  expect(await isWatched(delivered)).toBe(true)

  await core.redis.set(keys.projected, (await job(delivered)).journalId)
  for (const n of [delivered, discarded]) await core.redis.call('ZADD', keys.due, '0', String(n))
  await sweep()
  expect(await core.redis.exists(keys.job(delivered))).toBe(0)
  expect(await isWatched(delivered)).toBe(false)
  expect(await core.redis.exists(keys.job(discarded))).toBe(1)
})

test('a job without a record is forgotten by the sweeper too', async () => {
  await core.redis.call('ZADD', keys.due, '0', '4711')
  await sweep()
  expect(await isWatched(4_711)).toBe(false)
})
