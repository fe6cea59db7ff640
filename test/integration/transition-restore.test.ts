import { describe, expect, test } from 'vitest'
import { forgetJobs, forgetOver } from '../../src/history/forget-jobs.ts'
import { keys } from '../../src/redis/keys.ts'
import { sampleAttempt } from '../contract/sample-jobs.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { jobStages } from '../support/job-stages.ts'

const { core } = await coreForFile()

const { start, finish, finished, requeue } = jobStages(() => core)

const status = async (n: number) => (await core.job(n))?.status

describe('a job whose record is gone', () => {
  /** Delivered, in history, and forgotten; what history tells of it. */
  const forgotten = async () => {
    const n = await finished({ status: 'DELIVERED', attempt: sampleAttempt(1) })
    return forget(n)
  }
  const forget = async (n: number) => {
    const [job, body] = await Promise.all([core.job(n), core.records.body(n)])
    if (!job || !body) throw new Error(`no record of ${n}`)
    expect(await forgetOver(core.redis)([job])).toBe(1)
    return { n, snapshot: { job, body } }
  }

  test('comes back from history for its next round, with everything that it was', async () => {
    const { n, snapshot } = await forgotten()
    expect(await core.transitions.requeue({ n, maxRounds: 5 })).toEqual({ kind: 'missing' })
    expect(await core.transitions.requeue({ n, maxRounds: 5, snapshot })).toMatchObject({
      kind: 'requeued',
      round: 1,
    })
    const { job } = snapshot
    expect(await core.job(n)).toEqual({
      ...job,
      ...{ status: 'QUEUED', round: 1, deliveredAt: null },
      ...{ journalId: expect.any(String), updatedAt: expect.any(Number), requeuedAt: expect.any(Number) },
    })
    expect(await core.records.body(n)).toEqual(snapshot.body)
    expect(await start(n, 1)).toMatchObject({ kind: 'started', attempt: 2, attemptInRound: 1 })
    expect((await core.journal(n)).at(-2)).toMatchObject({
      previous: 'DELIVERED',
      status: 'QUEUED',
      round: 1,
    })
  })

  test('leaves nothing in Redis when it had one round alone', async () => {
    const { n } = await forgotten()
    expect(await core.redis.exists(keys.job(n), keys.attempts(n), `${keys.job(n)}:past`)).toBe(0)
  })

  test('does not come back from a state that is older than its last round, so no round is sent twice', async () => {
    const { n, snapshot: old } = await forgotten()
    await core.transitions.requeue({ n, maxRounds: 5, snapshot: old })
    await start(n, 1)
    await finish(n, 2, { status: 'DELIVERED' })
    const { snapshot: recent } = await forget(n)
    expect(recent.job.round).toBe(1)

    expect(await core.transitions.requeue({ n, maxRounds: 5, snapshot: old })).toEqual({ kind: 'missing' })
    expect(await core.redis.exists(keys.job(n))).toBe(0)
    expect(await start(n, 1)).toEqual({ kind: 'refused', status: 'MISSING' })
    const again = { n, round: 1, maxRounds: 5, snapshot: recent }
    expect(await core.transitions.requeue(again)).toMatchObject({ kind: 'requeued', round: 2 })
  })

  test('comes back once when two ask at the same time', async () => {
    const { n, snapshot } = await forgotten()
    const answers = await Promise.all(
      [1, 2, 3].map(() => core.transitions.requeue({ n, maxRounds: 5, snapshot })),
    )
    expect(answers.filter(({ kind }) => kind === 'requeued').length).toBe(1)
    expect(await core.job(n)).toMatchObject({ status: 'QUEUED', round: 1 })
  })

  test('is deleted only as it was seen', async () => {
    const n = await finished({ status: 'DELIVERED' })
    const seen = await core.job(n)
    await requeue(n, { round: 0 })
    expect(seen && (await forgetJobs(core.redis, ['DELIVERED', 'QUEUED'])([seen]))).toBe(0)
    expect(await status(n)).toBe('QUEUED')
    const now = await core.job(n)
    expect(now && (await forgetOver(core.redis)([now]))).toBe(0)
  })
})
