import { describe, expect, test } from 'vitest'
import { coreForFile } from '../support/core-for-file.ts'
import { failed } from '../support/failures.ts'
import { jobStages } from '../support/job-stages.ts'

const { core } = await coreForFile()

const { queued, started, finish, finished } = jobStages(() => core)

describe('a discard', () => {
  test.each<[string, () => Promise<number>]>([
    ['RECEIVED', () => core.accept()],
    ['QUEUED', queued],
    ['RETRYING', () => finished({ status: 'RETRYING', delayMs: 1_000 })],
    ['HELD', () => finished({ status: 'HELD' })],
    ['FAILED', () => finished({ status: 'FAILED', failure: failed })],
  ])('takes a job that is %s', async (before, make) => {
    const n = await make()
    expect(await core.transitions.discard(n)).toMatchObject({ kind: 'discarded', round: 0 })
    expect(await core.job(n)).toMatchObject({ status: 'DISCARDED', nextAttemptAt: null })
    expect((await core.journal(n)).at(-1)).toMatchObject({ previous: before, status: 'DISCARDED' })
  })

  test('of what waits leaves a job that failed in its error queue', async () => {
    const failing = await finished({ status: 'FAILED', failure: failed })
    expect(await core.transitions.discardWaiting(failing)).toEqual({ kind: 'refused', status: 'FAILED' })
    expect(await core.job(failing)).toMatchObject({ status: 'FAILED' })
    expect(await core.transitions.discardWaiting(await queued())).toMatchObject({
      kind: 'discarded',
      round: 0,
    })
  })

  test('is refused while a worker has the job, after it was delivered, and for none', async () => {
    const n = await started()
    expect(await core.transitions.discard(n)).toEqual({ kind: 'refused', status: 'DELIVERING' })
    await finish(n, 1, { status: 'DELIVERED' })
    expect(await core.transitions.discard(n)).toEqual({ kind: 'refused', status: 'DELIVERED' })
    expect(await core.transitions.discard(999_999)).toEqual({ kind: 'missing' })
  })
})
