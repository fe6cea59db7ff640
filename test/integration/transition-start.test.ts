import { describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { until } from '../support/client.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'

const { core } = await coreForFile()

const { queued, start, started, finish, finished, requeue } = jobStages(() => core)

describe('a start is refused', () => {
  test.each<[string, () => Promise<number>, string]>([
    ['for a job that is not queued yet', () => core.accept(), 'RECEIVED'],
    ['for a delivered one', () => finished({ status: 'DELIVERED' }), 'DELIVERED'],
    ['for a failed one', () => finished({ status: 'FAILED', failure: failed }), 'FAILED'],
    ['for one without a record', async () => 999_999, 'MISSING'],
  ])('%s', async (_what, make, reason) => {
    const n = await make()
    const changes = (await core.journal(n)).length
    expect(await start(n)).toEqual({ kind: 'refused', status: reason })
    expect((await core.journal(n)).length).toBe(changes)
  })

  test('for a discarded one', async () => {
    const n = await queued()
    await core.transitions.discard(n)
    expect(await start(n)).toEqual({ kind: 'refused', status: 'DISCARDED' })
  })

  test('for a round that is over, and for one that has not begun', async () => {
    const n = await finished({ status: 'FAILED', failure: failed })
    await requeue(n)
    expect(await start(n, 0)).toEqual({ kind: 'refused', status: 'OTHER_ROUND' })
    expect(await start(n, 2)).toEqual({ kind: 'refused', status: 'OTHER_ROUND' })
    expect(await start(n, 1)).toMatchObject({ kind: 'started', attempt: 2, attemptInRound: 1 })
  })
})

test('an attempt that does not count leaves the round as many as it had', async () => {
  const n = await started(5_000)
  const attempt = sampleAttempt(1)
  await core.transitions.finish(n, 1, { status: 'RETRYING', delayMs: 0, uncounted: true, attempt })
  expect(await start(n)).toMatchObject({ kind: 'started', attempt: 2, attemptInRound: 1, start: 2 })
})

test('a start without an attempt counts nowhere, and is not taken for the one after it', async () => {
  const n = await queued()
  for (const looks of [0, 1, 2]) {
    const begun = { kind: 'started', attempt: 1, attemptInRound: 1, start: looks + 1, looks }
    expect(await start(n)).toMatchObject(begun)
    expect(await finish(n, looks + 1, { status: 'HELD', uncounted: true })).toMatchObject({ status: 'HELD' })
    expect((await core.job(n))?.attempts).toBe(0)
  }
  expect(await start(n)).toMatchObject({ attempt: 1, start: 4 })
  // Its answer was lost, and it is sent once more.
  await finish(n, 3, { status: 'HELD', uncounted: true })
  expect(await core.job(n)).toMatchObject({ status: 'DELIVERING', attempts: 1 })
  const delivered = { status: 'DELIVERED', attempt: sampleAttempt(1) } as const
  expect(await finish(n, 4, delivered)).toMatchObject({ kind: 'done', status: 'DELIVERED' })
  expect(await finish(n, 4, delivered)).toMatchObject({ kind: 'done', status: 'DELIVERED' })
  expect(await core.job(n)).toMatchObject({ attempts: 1 })
  expect(await core.attempts(n)).toHaveLength(1)
  const told = (await core.journal(n)).map(({ status, attempts }) => [status, attempts])
  expect(told.slice(-4)).toEqual([
    ['DELIVERING', 1],
    ['HELD', 0],
    ['DELIVERING', 1],
    ['DELIVERED', 1],
  ])
})

describe('a start has to wait', () => {
  test('while another worker has the job', async () => {
    const before = Date.now()
    const n = await started(60_000)
    const second = await start(n, 0, 'another')
    expect(second).toMatchObject({ kind: 'wait' })
    const until = second.kind === 'wait' ? second.until : 0
    expect(until).toBeGreaterThanOrEqual(before + 60_000)
    expect(until).toBeLessThanOrEqual(Date.now() + 60_000)
    expect((await core.job(n))?.attempts).toBe(1)
  })

  test('as long as the lease that its holder asked for last', async () => {
    const n = await started(60_000)
    const renewed = Date.now()
    expect(await core.transitions.start(n, 0, 'me', 600_000)).toMatchObject({ kind: 'started', attempt: 1 })
    const other = await start(n, 0, 'another')
    expect(other.kind === 'wait' && other.until).toBeGreaterThanOrEqual(renewed + 600_000)
    expect(await core.attempts(n)).toEqual([])
  })

  test('until the time of the next attempt', async () => {
    const n = await finished({ status: 'RETRYING', delayMs: 60_000 })
    const { nextAttemptAt } = (await core.job(n)) ?? {}
    expect(await start(n)).toEqual({ kind: 'wait', until: nextAttemptAt })
    await core.redis.hset(keys.job(n), 'nextAttemptAt', 1)
    expect(await start(n)).toMatchObject({ kind: 'started', attempt: 2, attemptInRound: 2 })
    expect(await core.job(n)).toMatchObject({ nextAttemptAt: null })
  })
})

describe('a worker that never came back', () => {
  test('loses the job when its lease is over; its attempt counts, is recorded as lost, and its late outcome is refused', async () => {
    const n = await started(1)
    const taken = await until(async () => {
      const answer = await start(n, 0, 'another')
      return answer.kind === 'started' && answer
    })
    expect(taken).toMatchObject({ attempt: 2, attemptInRound: 2 })
    const attempts = await core.attempts(n)
    expect(attempts).toMatchObject([
      { number: 1, round: 0, outcome: 'LOST', statusCode: null, responseHeaders: null },
    ])
    expect(attempts[0]?.error).toMatch(/^WORKER_LOST/)
    expect(attempts[0]?.startedAt).toBe((await core.journal(n))[2]?.at)
    expect(attempts[0]?.timing.totalMs).toBeGreaterThanOrEqual(1)

    const late = await finish(n, 1, { status: 'DELIVERED', attempt: sampleAttempt(1) })
    expect(late).toEqual({ kind: 'refused', status: 'DELIVERING' })
    expect((await core.attempts(n)).length).toBe(1)
    const own = await finish(n, 2, { status: 'DELIVERED', attempt: sampleAttempt(2) })
    expect(own).toMatchObject({ kind: 'done', status: 'DELIVERED' })
    expect(await finish(n, 1, { status: 'FAILED', failure: failed })).toEqual({
      kind: 'refused',
      status: 'DELIVERED',
    })
  })

  test('keeps the job when its outcome comes after the lease and nobody took over', async () => {
    const n = await started(1)
    await until(async () => Number(await core.redis.hget(keys.job(n), 'leaseUntil')) < Date.now() - 5)
    expect(await finish(n, 1, { status: 'DELIVERED' })).toMatchObject({ kind: 'done' })
  })
})

test('the journal tells every change of a job in order, each with the status before, and all that filters ask for', async () => {
  const n = await started()
  await finish(n, 1, { status: 'RETRYING', delayMs: 0 })
  await start(n)
  await finish(n, 2, { status: 'FAILED', failure: failed })
  await requeue(n)
  await start(n, 1)
  await finish(n, 3, { status: 'DELIVERED' })
  const entries = await core.journal(n)
  expect(entries.map(({ previous, status, round, attempts }) => [previous, status, round, attempts])).toEqual(
    [
      [null, 'RECEIVED', 0, 0],
      ['RECEIVED', 'QUEUED', 0, 0],
      ['QUEUED', 'DELIVERING', 0, 1],
      ['DELIVERING', 'RETRYING', 0, 1],
      ['RETRYING', 'DELIVERING', 0, 2],
      ['DELIVERING', 'FAILED', 0, 2],
      ['FAILED', 'QUEUED', 1, 2],
      ['QUEUED', 'DELIVERING', 1, 3],
      ['DELIVERING', 'DELIVERED', 1, 3],
    ],
  )
  const job = await core.job(n)
  for (const { eventId, cnpj, destination, queue, eventType } of entries) {
    expect({ eventId, cnpj, destination, queue, eventType }).toEqual({
      ...{
        eventId: job?.eventId,
        cnpj: job?.cnpj,
        destination: 'default',
        queue: 'nifi',
        eventType: 'order.paid',
      },
    })
  }
  expect(entries.at(-1)?.at).toBe(job?.updatedAt)
})
