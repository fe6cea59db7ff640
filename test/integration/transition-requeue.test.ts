import { describe, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'

const { core } = await coreForFile()

const { start, started, finish, finished, requeue } = jobStages(() => core)

const status = async (n: number) => (await core.job(n))?.status

describe('a request for another round', () => {
  test('is refused when the job is on its way, whoever asks', async () => {
    const n = await core.accept()
    expect(await requeue(n)).toEqual({ kind: 'refused', reason: 'ALREADY_QUEUED' })
    await core.transitions.enqueue([n])
    expect(await requeue(n, { report: 'no' })).toEqual({ kind: 'refused', reason: 'ALREADY_QUEUED' })
    await start(n)
    expect(await requeue(n)).toEqual({ kind: 'refused', reason: 'DELIVERING' })
    await finish(n, 1, { status: 'RETRYING', delayMs: 1_000 })
    expect(await requeue(n, { round: 0, report: 'no' })).toEqual({
      kind: 'refused',
      reason: 'ALREADY_QUEUED',
    })
    await core.transitions.discard(n)
    expect(await requeue(n)).toEqual({ kind: 'refused', reason: 'DISCARDED' })
    expect(await requeue(999_999)).toEqual({ kind: 'missing' })
  })

  test('counts for the round it names alone', async () => {
    const n = await finished({ status: 'DELIVERED' })
    expect(await requeue(n, { round: 1 })).toEqual({ kind: 'refused', reason: 'OTHER_ROUND' })
    expect(await requeue(n, { round: 0 })).toMatchObject({ kind: 'requeued', round: 1 })
  })

  test('of a job that was delivered lets any worker begin at once, though its record tells the last one', async () => {
    const n = await finished({ status: 'DELIVERED' })
    await requeue(n)
    expect(await start(n, 1, 'another')).toMatchObject({ kind: 'started', attempt: 2, attemptInRound: 1 })
  })

  test('without a round is taken for a repeat within 5 s of the last, with one it is not', async () => {
    const n = await finished({ status: 'DELIVERED' })
    await requeue(n)
    await start(n, 1)
    await finish(n, 2, { status: 'DELIVERED' })
    // However long these steps took.
    await core.redis.hset(keys.job(n), 'requeuedAt', Date.now() + 60_000)
    expect(await requeue(n)).toEqual({ kind: 'refused', reason: 'ALREADY_REQUEUED' })
    expect(await requeue(n, { round: 1 })).toMatchObject({ kind: 'requeued', round: 2 })
    await start(n, 2)
    await finish(n, 3, { status: 'DELIVERED' })
    const { requeuedAt } = (await core.job(n)) ?? {}
    await core.redis.hset(keys.job(n), 'requeuedAt', Number(requeuedAt) - 5_000)
    expect(await requeue(n)).toMatchObject({ kind: 'requeued', round: 3 })
  })

  test('is refused after as many rounds as are allowed', async () => {
    const n = await finished({ status: 'FAILED', failure: failed })
    expect(await requeue(n, { maxRounds: 0 })).toEqual({ kind: 'refused', reason: 'REPROCESS_LIMIT' })
    expect(await requeue(n, { maxRounds: 1 })).toMatchObject({ kind: 'requeued' })
    await start(n, 1)
    await finish(n, 2, { status: 'FAILED', failure: failed })
    expect(await requeue(n, { round: 1, maxRounds: 1 })).toEqual({
      kind: 'refused',
      reason: 'REPROCESS_LIMIT',
    })
    expect(await status(n)).toBe('FAILED')
  })
})

describe('a report that overtakes the outcome', () => {
  test('queues the next round as soon as the attempt turns out delivered', async () => {
    const n = await started()
    expect(await requeue(n, { round: 0, report: 'row 7 is wrong' })).toEqual({ kind: 'noted', queue: 'nifi' })
    expect(await status(n)).toBe('DELIVERING')
    await finish(n, 1, { status: 'DELIVERED' })
    expect(await core.job(n)).toMatchObject({
      ...{ status: 'QUEUED', round: 1, reported: 'row 7 is wrong', deliveredAt: null },
    })
    expect((await core.journal(n)).map((entry) => [entry.previous, entry.status, entry.round])).toEqual([
      [null, 'RECEIVED', 0],
      ['RECEIVED', 'QUEUED', 0],
      ['QUEUED', 'DELIVERING', 0],
      ['DELIVERING', 'DELIVERED', 0],
      ['DELIVERED', 'QUEUED', 1],
    ])
    expect(await requeue(n, { round: 0, report: 'row 7 is wrong' })).toEqual({
      kind: 'refused',
      reason: 'OTHER_ROUND',
    })
  })

  test('means nothing when the attempt failed anyway, nor for a later one', async () => {
    const n = await started()
    await requeue(n, { report: 'no' })
    await finish(n, 1, { status: 'RETRYING', delayMs: 0 })
    await start(n)
    expect(await finish(n, 2, { status: 'DELIVERED' })).toMatchObject({
      status: 'DELIVERED',
      round: 0,
    })
  })

  test('does not go beyond the limit of rounds', async () => {
    const n = await started()
    expect(await requeue(n, { report: 'no', maxRounds: 0 })).toEqual({
      kind: 'refused',
      reason: 'REPROCESS_LIMIT',
    })
    expect(await finish(n, 1, { status: 'DELIVERED' })).toMatchObject({
      status: 'DELIVERED',
    })
  })
})
